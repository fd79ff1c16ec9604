/** Adagrad (Duchi, Hazan & Singer 2011, JMLR 12, diagonal form): s ← s + g², θ ← θ − αg/(√s + ε). */
import type { OptimizerSpec } from '../contracts/optimizer.ts';
import { add, constant, div, flush, mul, sqrt, sub, vector } from './expression.ts';
import { type DecaySource, LEARNING_RATE, PARAMETERS, type UpdateRule } from './interface.ts';
import { regularizedGradient } from './weight-decay.ts';

type AdagradSpec = Extract<OptimizerSpec, { kind: 'adagrad' }>;

export function adagrad({ epsilon, weightDecay }: AdagradSpec, decay: DecaySource): UpdateRule {
  const gradient = regularizedGradient(decay);
  const sum = flush(add(vector('sum'), mul(gradient, gradient)));
  const step = div(mul(LEARNING_RATE, gradient), add(sqrt(sum), constant('epsilon')));
  return {
    slots: ['sum'],
    next: { sum, parameters: sub(PARAMETERS, step) },
    constants: (_, learningRate) => ({ learningRate, epsilon, weightDecay }),
  };
}
