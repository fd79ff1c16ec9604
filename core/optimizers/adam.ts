/**
 * Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1) and AdamW, which is Adam with decoupled weight decay
 * (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2). The bias corrections are the same for all elements: with
 * a = α/(1−β₁ᵗ) and r = 1/√(1−β₂ᵗ), θ ← θ − a·m/(r·√v + ε).
 */
import type { OptimizerSpec } from '../contracts/optimizer.ts';
import { add, constant, div, type Expression, flush, mul, sqrt, sub, vector } from './expression.ts';
import { type DecaySource, GRADIENT, PARAMETERS, type UpdateRule } from './interface.ts';
import { power } from './power.ts';
import { decayedParameters, regularizedGradient } from './weight-decay.ts';

type AdamSpec = Extract<OptimizerSpec, { kind: 'adam' | 'adamw' }>;

export const adam = (spec: AdamSpec, decay: DecaySource): UpdateRule =>
  adaptiveMoments(spec, regularizedGradient(decay), PARAMETERS);

export const adamw = (spec: AdamSpec, decay: DecaySource): UpdateRule =>
  adaptiveMoments(spec, GRADIENT, decayedParameters(decay));

/** @param gradient and parameters with the weight decay in one of them */
function adaptiveMoments(spec: AdamSpec, gradient: Expression, parameters: Expression): UpdateRule {
  const m = flush(add(mul(constant('beta1'), vector('m')), mul(constant('rest1'), gradient)));
  const squared = mul(mul(constant('rest2'), gradient), gradient);
  const v = flush(add(mul(constant('beta2'), vector('v')), squared));
  const root = add(mul(sqrt(v), constant('scale')), constant('epsilon'));
  const { beta1, beta2, epsilon, weightDecay } = spec;
  return {
    slots: ['m', 'v'],
    next: { m, v, parameters: sub(parameters, div(mul(constant('rate'), m), root)) },
    constants: (step, learningRate) => ({
      beta1,
      rest1: 1 - beta1,
      beta2,
      rest2: 1 - beta2,
      rate: learningRate / (1 - power(beta1, step + 1)),
      scale: 1 / Math.sqrt(1 - power(beta2, step + 1)),
      epsilon,
      learningRate,
      weightDecay,
    }),
  };
}
