/**
 * Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1). The bias corrections are hoisted out of the loop: with
 * a = α/(1−β₁ᵗ) and r = 1/√(1−β₂ᵗ), θ ← θ − a·m/(r·√v + ε). Every operation rounds to float32, so that vectorized
 * implementations give the same bits as this one, which defines them.
 */
import type { OptimizerSpec } from '../contracts/job.ts';
import { sweepDenormals } from './denormals.ts';
import { zeroState, type Optimizer } from './interface.ts';

export type AdamSpec = Extract<OptimizerSpec, { kind: 'adam' }>;

const SLOTS = ['m', 'v'] as const;
const f32 = Math.fround;

/** What stays the same for all elements in one step, rounded to float32. */
export interface AdamConstants {
  readonly beta1: number;
  readonly rest1: number;
  readonly beta2: number;
  readonly rest2: number;
  /** α/(1−β₁ᵗ) */
  readonly rate: number;
  /** 1/√(1−β₂ᵗ) */
  readonly scale: number;
  readonly epsilon: number;
}

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

/** @param step 0-based */
export function adamConstants(spec: AdamSpec, step: number, learningRate: number): AdamConstants {
  const { beta1, beta2, epsilon } = spec;
  return {
    beta1: f32(beta1),
    rest1: f32(1 - beta1),
    beta2: f32(beta2),
    rest2: f32(1 - beta2),
    rate: f32(learningRate / (1 - power(beta1, step + 1))),
    scale: f32(1 / Math.sqrt(1 - power(beta2, step + 1))),
    epsilon: f32(epsilon),
  };
}

export function adam(spec: AdamSpec): Optimizer {
  return {
    slots: SLOTS,
    init: (length) => zeroState(SLOTS, length),
    update({ parameters, gradient, state, step, learningRate }) {
      const m = state['m']!;
      const v = state['v']!;
      const { beta1, rest1, beta2, rest2, rate, scale, epsilon } = adamConstants(spec, step, learningRate);
      for (let i = 0; i < parameters.length; i++) {
        const g = gradient[i]!;
        const mean = f32(f32(beta1 * m[i]!) + f32(rest1 * g));
        const square = f32(f32(beta2 * v[i]!) + f32(f32(rest2 * g) * g));
        const root = f32(f32(f32(Math.sqrt(square)) * scale) + epsilon);
        m[i] = mean;
        v[i] = square;
        parameters[i] = f32(parameters[i]! - f32(f32(rate * mean) / root));
      }
      sweepDenormals(step, m);
      sweepDenormals(step, v);
    },
  };
}
