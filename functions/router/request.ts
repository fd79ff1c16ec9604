/** What an inference request asks of the router, read from its headers and its query. */
import { CASCADE_OFF, REQUEST_HEADERS } from '../../core/contracts/headers.ts';
import { Fault } from '../../core/errors.ts';
import { EDGE, type Place, type TargetId } from '../../core/routing/targets.ts';
import type { Demand, Said } from '../../core/routing/told.ts';

export const DEFAULT_DEADLINE_MS = 10_000;
export const MAX_DEADLINE_MS = 600_000;

/** Short for the exclusion of the other place. */
const ONLY: ReadonlyMap<string, Place> = new Map([
  ['edge-only', 'cloud'],
  ['cloud-only', 'edge'],
]);

/**
 * @param names of all targets of the deployment, and places
 * @throws Fault `invalid` naming the header, also where the deployment has no such target
 */
export function saidIn(headers: Headers, names: ReadonlySet<TargetId>): Said {
  const target = headers.get(REQUEST_HEADERS.target);
  const out = target === null ? undefined : ONLY.get(target);
  return {
    deadlineMs: deadlineOf(headers),
    target: target === null ? undefined : out === undefined ? pinOf(target, names) : 'auto',
    exclude: exclusionsOf(headers, names, out),
    costCeiling: ceilingOf(headers),
  };
}

function deadlineOf(headers: Headers): number | undefined {
  const field = REQUEST_HEADERS.deadline;
  const text = headers.get(field);
  if (text === null) return undefined;
  const ms = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (ms >= 1 && ms <= MAX_DEADLINE_MS) return ms;
  throw new Fault('invalid', `${field}: must be a whole number from 1 to ${MAX_DEADLINE_MS}`, { field });
}

function pinOf(text: string, names: ReadonlySet<TargetId>): TargetId {
  if (text === 'auto' || names.has(text)) return text;
  throw unknownTarget(REQUEST_HEADERS.target, text, ['auto', ...ONLY.keys(), ...names]);
}

function exclusionsOf(
  headers: Headers,
  names: ReadonlySet<TargetId>,
  out: Place | undefined,
): readonly TargetId[] | undefined {
  const field = REQUEST_HEADERS.exclude;
  const text = headers.get(field);
  if (text === null) return out && [out];
  const named = text.split(',').map((name) => name.trim());
  // One that is not here is not asked anyway, but who writes it believes otherwise.
  for (const name of named) if (!names.has(name)) throw unknownTarget(field, name, [...names]);
  return out === undefined ? named : [out, ...named];
}

const unknownTarget = (field: string, name: string, allowed: readonly string[]) =>
  new Fault('invalid', `${field}: ${name.slice(0, 64)} is no target here; ${allowed.join(', ')}`, { field });

/** At most nine digits before the point and after it. */
const AMOUNT = /^\d{1,9}(\.\d{1,9})?$/;

function ceilingOf(headers: Headers): number | undefined {
  const field = REQUEST_HEADERS.costCeiling;
  const text = headers.get(field);
  if (text === null) return undefined;
  if (AMOUNT.test(text)) return Number(text);
  throw new Fault('invalid', `${field}: must be a number of millionths of a US dollar, such as 2.5`, {
    field,
  });
}

/**
 * What is said to the target of a cascade: that there is none where nobody else may be asked, since the request is
 * pinned, or the cloud excluded by the client or the release. Then nothing is judged, and no hard example is kept.
 * @param targets of the deployment
 * @returns undefined where nothing is said
 * @throws Fault `invalid` for a cascade of a pinned request; what a cascade may say the target knows
 */
export function cascadeFor(
  headers: Headers,
  { pin, exclude }: Pick<Demand, 'pin' | 'exclude'>,
  targets: Iterable<TargetId>,
): string | undefined {
  const field = REQUEST_HEADERS.cascade;
  const text = headers.get(field) ?? undefined;
  if (pin === undefined) return exclude !== undefined && leavesNoCloud(exclude, targets) ? CASCADE_OFF : text;
  if (text !== undefined && text.trim() !== CASCADE_OFF)
    throw new Fault('invalid', `${field}: a request pinned to ${pin} cannot be in a cascade`, { field });
  return CASCADE_OFF;
}

/** A deployment without a cloud leaves none, but excludes nothing. */
function leavesNoCloud(exclude: readonly TargetId[], targets: Iterable<TargetId>): boolean {
  if (exclude.includes('cloud')) return true;
  const clouds = [...targets].filter((target) => target !== EDGE);
  return clouds.length > 0 && clouds.every((target) => exclude.includes(target));
}

/** As nearly every client writes it: no query, nothing that needs decoding. Every other form goes by the table of paths. */
const INFER_PATH = /^https?:\/\/[^/]+\/v2\/models\/([\w.-]+)(?:\/versions\/([\w.-]+))?\/infer$/;

/** What an address asks to infer, read without the table of paths; undefined for all that is not plainly that. */
export function readInferUrl(
  url: string,
): { readonly model: string; readonly version: string | undefined } | undefined {
  const [, model, version] = INFER_PATH.exec(url) ?? [];
  return model === undefined ? undefined : { model, version };
}

/** Whether `?explain=1` is asked. @throws Fault `invalid` naming the parameter */
export function wantsExplanation(url: string): boolean {
  const query = url.indexOf('?');
  if (query < 0) return false;
  const value = new URLSearchParams(url.slice(query)).get('explain');
  if (value === null || value === '0') return false;
  if (value === '1') return true;
  throw new Fault('invalid', 'explain: must be 1 or 0', { field: 'explain' });
}
