/** What is to become of the model's parameters, by their names. */
import { z } from 'zod';
import { Pattern } from './primitives.ts';

/** Standard deviation of `normal` where none is given, as GPT-2 and BERT use it. */
const NORMAL_STD = 0.02;

/** Gives the parameters whose names match new values before training, drawn with the job's seed. */
export const InitializeRule = z.discriminatedUnion('with', [
  z.strictObject({ match: Pattern, with: z.enum(['kaiming', 'xavier', 'zeros', 'ones']) }),
  z.strictObject({
    match: Pattern,
    with: z.literal('normal'),
    std: z.number().positive().default(NORMAL_STD),
  }),
]);
export type InitializeRule = z.infer<typeof InitializeRule>;

/** Of several rules that match a name the first decides; where none does, the optimizer's own weight decay. */
export const WeightDecayRule = z.strictObject({ match: Pattern, value: z.number().min(0).max(1) });
export type WeightDecayRule = z.infer<typeof WeightDecayRule>;

export const ParametersSpec = z.strictObject({
  /** Of several rules that match a name the first decides. */
  initialize: z.array(InitializeRule).default([]),
  /** Only what one of these matches is trained. A scalar is trained only where one of them is its very name. */
  train: z.array(Pattern).min(1).optional(),
  /** What one of these matches stays as it is, also where `train` matches it. */
  freeze: z.array(Pattern).default([]),
  weightDecay: z.array(WeightDecayRule).default([]),
});
export type ParametersSpec = z.infer<typeof ParametersSpec>;
