/**
 * Lion (Chen et al. 2023, arXiv:2302.06675, program 1): every element moves by the learning rate, in the direction
 * of sign(β₁m + (1−β₁)g); then m ← β₂m + (1−β₂)g. The weight decay is decoupled.
 */
import type { OptimizerSpec } from '../contracts/optimizer.ts';
import { add, constant, flush, mul, sign, sub, vector } from './expression.ts';
import { type DecaySource, GRADIENT, LEARNING_RATE, type UpdateRule } from './interface.ts';
import { decayedParameters } from './weight-decay.ts';

type LionSpec = Extract<OptimizerSpec, { kind: 'lion' }>;

export function lion({ beta1, beta2, weightDecay }: LionSpec, decay: DecaySource): UpdateRule {
  const average = (beta: string, rest: string) =>
    add(mul(constant(beta), vector('m')), mul(constant(rest), GRADIENT));
  const direction = sign(average('beta1', 'rest1'));
  return {
    slots: ['m'],
    next: {
      m: flush(average('beta2', 'rest2')),
      parameters: sub(decayedParameters(decay), mul(LEARNING_RATE, direction)),
    },
    constants: (_, learningRate) => ({
      learningRate,
      beta1,
      rest1: 1 - beta1,
      beta2,
      rest2: 1 - beta2,
      weightDecay,
    }),
  };
}
