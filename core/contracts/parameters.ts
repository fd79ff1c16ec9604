/** What is to become of the model's parameters, by their names. */
import { z } from 'zod';
import { Pattern } from './primitives.ts';

/** Of several rules that match a name the first decides; where none does, the optimizer's own weight decay. */
export const WeightDecayRule = z.strictObject({ match: Pattern, value: z.number().min(0).max(1) });
export type WeightDecayRule = z.infer<typeof WeightDecayRule>;

export const ParametersSpec = z.strictObject({
  /** Only what one of these matches is trained. A scalar is trained only where one of them is its very name. */
  train: z.array(Pattern).min(1).optional(),
  /** What one of these matches stays as it is, also where `train` matches it. */
  freeze: z.array(Pattern).default([]),
  weightDecay: z.array(WeightDecayRule).default([]),
});
export type ParametersSpec = z.infer<typeof ParametersSpec>;
