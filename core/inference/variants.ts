/** Which variant of a release a target serves: the first of its preference that the release has. */
import type { Release, Variant } from '../contracts/release.ts';
import { Fault } from '../errors.ts';
import { type Preference, VARIANT_NAMES, type VariantName } from '../registry/variant-names.ts';
import { MEMORY_FACTOR } from './config.ts';

export interface ChosenVariant {
  readonly name: VariantName;
  readonly file: Variant;
}

/**
 * A target's preference for one release: what is asked for first, then what the release prefers, of those that the
 * target serves at all.
 */
export function preferenceFor(
  { routing }: Pick<Release, 'routing'>,
  served: Preference,
  asked?: VariantName,
): Preference {
  const first = [asked, routing?.variant].find((name) => name !== undefined && served.includes(name));
  return first === undefined ? served : [first, ...served.filter((name) => name !== first)];
}

/**
 * Variants that the router may choose from, the usual one first: those there are, if all of them together take no more
 * than half of the memory for models. More would put each other, or other models, out.
 */
export function offeredVariants(release: Release, served: Preference, sessionBytes: number): VariantName[] {
  const offered = preferenceFor(release, served).filter((name) => release.variants[name] !== undefined);
  const bytes = offered.reduce((sum, name) => sum + release.variants[name]!.bytes, 0);
  return bytes * MEMORY_FACTOR <= sessionBytes / 2 ? offered : offered.slice(0, 1);
}

/** @throws Fault `unavailable` where the release has none of them: another target may serve another */
export function chooseVariant(release: Release, preference: Preference): ChosenVariant {
  for (const name of preference) {
    const file = release.variants[name];
    if (file !== undefined) return { name, file };
  }
  const wanted = preference.join(', ');
  const has = VARIANT_NAMES.filter((name) => release.variants[name] !== undefined).join(', ');
  throw new Fault(
    'unavailable',
    `release ${release.release} of ${release.model} has the variants ${has}; this target serves ${wanted}`,
  );
}

/**
 * A list of variants in a target's environment: `int8,fp32`, most wanted first.
 * @param variable its name, for the fault
 * @returns undefined where it is not set
 * @throws Fault `internal` for anything else: a deployment error
 */
export function parsePreference(variable: string, text: string | undefined): Preference | undefined {
  if (text === undefined || text === '') return undefined;
  const names = text.split(',').map((name) => name.trim());
  const [first, ...rest] = names.filter(isVariant);
  if (first !== undefined && rest.length + 1 === names.length && new Set(names).size === names.length)
    return [first, ...rest];
  throw new Fault(
    'internal',
    `${variable} is ${text}; a list of ${VARIANT_NAMES.join(', ')}, each at most once, most wanted first`,
  );
}

const isVariant = (name: string): name is VariantName => (VARIANT_NAMES as readonly string[]).includes(name);
