/** Forms of one model, same inputs and outputs: float32 weights, and 8-bit ones. Without zod: the router knows them too. */
export const VARIANT_NAMES = ['fp32', 'int8'] as const;
export type VariantName = (typeof VARIANT_NAMES)[number];
