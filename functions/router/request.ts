/** What an inference request asks of the router, read from its headers and its query. */
import { REQUEST_HEADERS } from '../../core/contracts/headers.ts';
import { Fault } from '../../core/errors.ts';
import { TARGETS, type TargetName } from '../../core/routing/targets.ts';

export const DEFAULT_DEADLINE_MS = 10_000;
export const MAX_DEADLINE_MS = 600_000;

/** @returns milliseconds @throws Fault `invalid` naming the header */
export function deadlineOf(headers: Headers): number {
  const field = REQUEST_HEADERS.deadline;
  const text = headers.get(field);
  if (text === null) return DEFAULT_DEADLINE_MS;
  const ms = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (ms >= 1 && ms <= MAX_DEADLINE_MS) return ms;
  throw new Fault('invalid', `${field}: must be a whole number from 1 to ${MAX_DEADLINE_MS}`, { field });
}

/**
 * @returns undefined for `auto`
 * @throws Fault `invalid` naming the header, also where the deployment has no such target
 */
export function pinOf(headers: Headers, hasCloud: boolean): TargetName | undefined {
  const field = REQUEST_HEADERS.target;
  const text = headers.get(field);
  if (text === null || text === 'auto') return undefined;
  const pinned = TARGETS.find((target) => target === text);
  if (pinned === undefined) throw new Fault('invalid', `${field}: must be edge, cloud or auto`, { field });
  if (pinned === 'cloud' && !hasCloud)
    throw new Fault('invalid', `${field}: this deployment has no cloud target; edge or auto`, { field });
  return pinned;
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
