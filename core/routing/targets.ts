/** The two places an inference can run. Free of zod: the router's bundle carries this and no schemas. */
export const TARGETS = ['edge', 'cloud'] as const;
export type TargetName = (typeof TARGETS)[number];
