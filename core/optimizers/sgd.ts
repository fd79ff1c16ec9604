/**
 * Stochastic gradient descent (Robbins & Monro 1951): θ ← θ − αg. With heavy-ball momentum (Polyak 1964) u ← μu + g,
 * θ ← θ − αu; with Nesterov's (1983), in the form of Sutskever et al. 2013 with the gradient taken where the
 * parameters are, θ ← θ − α(g + μu).
 */
import type { OptimizerSpec } from '../contracts/optimizer.ts';
import { add, constant, flush, mul, sub, vector } from './expression.ts';
import { type DecaySource, LEARNING_RATE, PARAMETERS, type UpdateRule } from './interface.ts';
import { regularizedGradient } from './weight-decay.ts';

type SgdSpec = Extract<OptimizerSpec, { kind: 'sgd' }>;

export function sgd({ momentum, nesterov, weightDecay }: SgdSpec, decay: DecaySource): UpdateRule {
  const gradient = regularizedGradient(decay);
  const velocity = flush(add(mul(constant('momentum'), vector('momentum')), gradient));
  const ahead = nesterov ? add(gradient, mul(constant('momentum'), velocity)) : velocity;
  const direction = momentum === 0 ? gradient : ahead;
  const parameters = sub(PARAMETERS, mul(LEARNING_RATE, direction));
  return {
    slots: momentum === 0 ? [] : ['momentum'],
    next: momentum === 0 ? { parameters } : { momentum: velocity, parameters },
    constants: (_, learningRate) => ({ learningRate, momentum, weightDecay }),
  };
}
