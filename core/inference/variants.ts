/** Which variant of a release a target serves: the first of its preference that the release has. */
import type { Release, Variant } from '../contracts/release.ts';
import { Fault } from '../errors.ts';
import { VARIANT_NAMES, type VariantName } from '../registry/variant-names.ts';

/** Most wanted first. */
export type Preference = readonly [VariantName, ...VariantName[]];

export interface ChosenVariant {
  readonly name: VariantName;
  readonly file: Variant;
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
