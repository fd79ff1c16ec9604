/**
 * What a target tells the router of a model beside its answer: which variants it has to choose from, and what the
 * release says about routing. It goes in a header as JSON, and only where there is something to tell; a router that
 * hears the same again compares a string. Without zod: both ends are ours, and one is the router's.
 */
import { VARIANT_NAMES, type VariantName } from '../registry/variant-names.ts';
import type { RouteRequest } from './policy.ts';
import type { TargetId } from './targets.ts';

/** A release's own, core/contracts/routing-defaults.ts. */
export interface Defaults {
  readonly target?: TargetId | undefined;
  readonly exclude?: readonly TargetId[] | undefined;
  readonly deadlineMs?: number | undefined;
  readonly costCeiling?: number | undefined;
}

export interface Told extends Defaults {
  /** That the target has to choose from, the usual one first; left out: there is no choice. */
  readonly variants?: readonly VariantName[] | undefined;
}

export const NOTHING_TOLD: Told = {};

/** @returns undefined where there is nothing to tell */
export function tell({ variants = [], target, exclude, deadlineMs, costCeiling }: Told): string | undefined {
  const told: Told = {
    variants: variants.length > 1 ? variants : undefined,
    target,
    exclude,
    deadlineMs,
    costCeiling,
  };
  const text = JSON.stringify(told);
  return text === '{}' ? undefined : text;
}

/** @returns undefined for what is not what {@link tell} says */
export function readTold(text: string): Told | undefined {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof given !== 'object' || given === null) return undefined;
  const { variants, target, exclude, deadlineMs, costCeiling } = given as Record<string, unknown>;
  const isTold =
    (variants === undefined || isListOf(variants, isVariant)) &&
    (target === undefined || isString(target)) &&
    (exclude === undefined || isListOf(exclude, isString)) &&
    (deadlineMs === undefined || isAmount(deadlineMs)) &&
    (costCeiling === undefined || isAmount(costCeiling));
  return isTold ? { variants, target, exclude, deadlineMs, costCeiling } : undefined;
}

const isString = (value: unknown): value is string => typeof value === 'string';
const isVariant = (value: unknown): value is VariantName => VARIANT_NAMES.some((name) => name === value);
const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0;
const isListOf = <T>(value: unknown, is: (item: unknown) => item is T): value is T[] =>
  Array.isArray(value) && value.every(is);

/** What a request says itself; what it leaves out is the release's to say. */
export interface Said {
  /** `auto`: no target, whatever the release says. */
  readonly target?: TargetId | undefined;
  readonly exclude?: readonly TargetId[] | undefined;
  readonly deadlineMs?: number | undefined;
  readonly costCeiling?: number | undefined;
}

/** What holds. */
export type Demand = Pick<RouteRequest, 'pin' | 'exclude' | 'costCeiling'> & {
  readonly deadlineMs: number;
};

/**
 * The request's word counts before the release's, but for exclusions: they add up, since no client may send away what
 * must not leave.
 * @param names of all targets of the deployment, and places: a release may name one that is not here
 */
export function demandOf(
  said: Said,
  told: Defaults,
  { names, deadlineMs }: { readonly names: ReadonlySet<TargetId>; readonly deadlineMs: number },
): Demand {
  const { target = told.target !== undefined && names.has(told.target) ? told.target : 'auto' } = said;
  return {
    pin: target === 'auto' ? undefined : target,
    exclude: said.exclude === undefined ? told.exclude : [...said.exclude, ...(told.exclude ?? [])],
    costCeiling: said.costCeiling ?? told.costCeiling,
    deadlineMs: said.deadlineMs ?? told.deadlineMs ?? deadlineMs,
  };
}
