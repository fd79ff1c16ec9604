/**
 * Forms of one model, same inputs and outputs: float32 weights, and 8-bit ones; the most exact first. Without zod: the
 * router knows them too.
 */
export const VARIANT_NAMES = ['fp32', 'int8'] as const;
export type VariantName = (typeof VARIANT_NAMES)[number];

/** What a target serves, most wanted first. */
export type Preference = readonly [VariantName, ...VariantName[]];

export const isLessExact = (one: VariantName, other: VariantName): boolean =>
  VARIANT_NAMES.indexOf(one) > VARIANT_NAMES.indexOf(other);
