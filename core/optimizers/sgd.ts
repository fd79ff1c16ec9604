/** Stochastic gradient descent, with heavy-ball momentum (Polyak 1964) where asked for: u ← μu + g, θ ← θ − αu. */
import type { OptimizerSpec } from '../contracts/job.ts';
import { sweepDenormals } from './denormals.ts';
import { zeroState, type Optimizer } from './interface.ts';

type SgdSpec = Extract<OptimizerSpec, { kind: 'sgd' }>;

export function sgd({ momentum }: SgdSpec): Optimizer {
  const slots = momentum === 0 ? [] : ['momentum'];
  return {
    slots,
    init: (length) => zeroState(slots, length),
    update({ parameters, gradient, state, step, learningRate }) {
      const velocity = state['momentum'];
      if (velocity === undefined) {
        for (let i = 0; i < parameters.length; i++) parameters[i]! -= learningRate * gradient[i]!;
        return;
      }
      for (let i = 0; i < parameters.length; i++) {
        const next = momentum * velocity[i]! + gradient[i]!;
        velocity[i] = next;
        parameters[i]! -= learningRate * next;
      }
      sweepDenormals(step, velocity);
    },
  };
}
