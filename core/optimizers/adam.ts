/**
 * Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1). Arithmetic is in float64 and rounds to float32 where a value
 * is stored. The bias corrections are hoisted out of the loop: with a = α/(1−β₁ᵗ) and r = 1/√(1−β₂ᵗ),
 * θ ← θ − a·m/(r·√v + ε).
 */
import type { OptimizerSpec } from '../contracts/job.ts';
import { sweepDenormals } from './denormals.ts';
import { zeroState, type Optimizer } from './optimizer.ts';

type AdamSpec = Extract<OptimizerSpec, { kind: 'adam' }>;

const SLOTS = ['m', 'v'] as const;

/** base^n for a whole n ≥ 0 by squaring: Math.pow leaves its last bits to the engine. */
function power(base: number, n: number): number {
  let result = 1;
  let square = base;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

export function adam({ beta1, beta2, epsilon }: AdamSpec): Optimizer {
  return {
    slots: SLOTS,
    init: (length) => zeroState(SLOTS, length),
    update({ parameters, gradient, state, step, learningRate }) {
      const m = state['m']!;
      const v = state['v']!;
      const rest1 = 1 - beta1;
      const rest2 = 1 - beta2;
      const rate = learningRate / (1 - power(beta1, step + 1));
      const scale = 1 / Math.sqrt(1 - power(beta2, step + 1));
      for (let i = 0; i < parameters.length; i++) {
        const g = gradient[i]!;
        const mean = beta1 * m[i]! + rest1 * g;
        const square = beta2 * v[i]! + rest2 * g * g;
        m[i] = mean;
        v[i] = square;
        parameters[i]! -= (rate * mean) / (Math.sqrt(square) * scale + epsilon);
      }
      sweepDenormals(step, m);
      sweepDenormals(step, v);
    },
  };
}
