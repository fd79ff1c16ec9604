/** What is wrong with a file, in words: where, what was given and what is allowed. */
import type { z } from 'zod';

/** As much of a value as is shown. */
const SHOWN = 60;

/** Members of a discriminated union by `kind`. */
type Kinds = readonly { readonly shape: { readonly kind: { readonly value: string } } }[];

export const kindsOf = (kinds: Kinds): string => kinds.map(({ shape }) => shape.kind.value).join(', ');

/** The error of a discriminated union: zod's own does not say which kinds there are. */
export const noSuchKind = (kinds: Kinds) => (issue: { readonly code?: string }) =>
  issue.code === 'invalid_union' ? `must be one of ${kindsOf(kinds)}` : undefined;

export interface Problem {
  /** Such as `targets.0.serviceMs.kind`; '' for the whole. */
  readonly field: string;
  readonly message: string;
}

/** @param file what the schema refused */
export function problemOf({ issues }: z.ZodError, file: unknown): Problem {
  const issue = innermost(issues[0]!);
  if (issue.code === 'unrecognized_keys')
    return { field: [...issue.path, issue.keys[0]].map(String).join('.'), message: 'unknown field' };
  const given = issue.path.reduce<unknown>(memberOf, file);
  const is = given === undefined ? '' : `; is ${short(given)}`;
  return { field: issue.path.map(String).join('.'), message: `${issue.message}${is}` };
}

/** Of a union the branch that got furthest: it knows best what was meant. The union's own words where none got in. */
function innermost(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  const depth = ([first]: readonly z.core.$ZodIssue[]) => first?.path.length ?? 0;
  const [deepest] = issue.errors.toSorted((a, b) => depth(b) - depth(a));
  if (deepest === undefined || depth(deepest) === 0) return issue;
  const inner = innermost(deepest[0]!);
  return { ...inner, path: [...issue.path, ...inner.path] };
}

const memberOf = (value: unknown, key: PropertyKey): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;

export function short(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN - 1)}…`;
}
