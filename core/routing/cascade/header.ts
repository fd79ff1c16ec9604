/**
 * A cascade as text, for a request's header and the command line: `threshold=0.9`, or
 * `margin=0.4, output=probabilities, scores=logits, large=mnist-large/3`. The filter is named by its threshold.
 */
import { type CascadeRequest, CascadeSpec, FILTER_NAMES } from '../../contracts/cascade.ts';
import { CASCADE_OFF } from '../../contracts/headers.ts';
import { fieldPath } from '../../contracts/parse.ts';
import { Fault } from '../../errors.ts';

/** What a text says; the rest is left to the release. */
export type CascadeOverride = typeof CASCADE_OFF | Partial<CascadeRequest>;

const KEYS = [...FILTER_NAMES, 'output', 'scores', 'large'] as const;

/** Not all that `Number` reads: no 0x1, no Infinity. */
const DECIMAL = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

/**
 * @param field of the text, for the fault
 * @throws Fault `invalid`
 */
export function parseCascade(text: string, field: string): CascadeOverride {
  if (text.trim() === CASCADE_OFF) return CASCADE_OFF;
  const bad = (message: string) => new Fault('invalid', `${field}: ${message}`, { field });
  const said: Record<string, unknown> = {};
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    const [key, value] = [part.slice(0, Math.max(0, at)).trim(), part.slice(at + 1).trim()];
    if (!KEYS.some((known) => known === key) || value === '')
      throw bad(`must be off, or a list of ${KEYS.join('=…, ')}=…; not ${part.trim() || 'nothing'}`);
    const isFilter = FILTER_NAMES.some((name) => name === key);
    if (Object.hasOwn(said, isFilter ? 'filter' : key))
      throw bad(`${part.trim()} comes second; one is allowed`);
    if (isFilter && !DECIMAL.test(value))
      throw bad(`${key}: must be a decimal number from 0 to 1, is ${value}`);
    if (isFilter) Object.assign(said, { filter: key, threshold: Number(value) });
    else said[key] = key === 'large' ? largeOf(value) : value;
  }
  const checked = CascadeSpec.safeParse({ threshold: 0, ...said });
  if (checked.success) return said;
  const [issue] = checked.error.issues;
  throw bad(`${fieldPath(issue?.path ?? [])}: ${issue?.message}`);
}

function largeOf(text: string) {
  const at = text.indexOf('/');
  if (at === -1) return { model: text };
  const version = text.slice(at + 1);
  return { model: text.slice(0, at), version: /^\d+$/.test(version) ? Number(version) : version };
}

/**
 * What holds for a request: what it says itself, and the release for the rest.
 * @param field where the request said it, for the fault
 * @returns undefined where there is no cascade
 * @throws Fault `invalid` where nobody says a threshold
 */
export function cascadeOf(
  release: CascadeSpec | undefined,
  said: CascadeOverride | undefined,
  field: string,
): CascadeSpec | undefined {
  if (said === CASCADE_OFF) return undefined;
  if (said === undefined) return release;
  const { threshold } = { ...release, ...said };
  if (threshold === undefined)
    throw new Fault(
      'invalid',
      `${field}: the model's release has no cascade: give a threshold, such as ${FILTER_NAMES[0]}=0.9`,
      { field },
    );
  return CascadeSpec.parse({ ...release, ...said });
}
