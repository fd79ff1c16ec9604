import type { OptimizerSpec } from '../contracts/optimizer.ts';
import { adagrad } from './adagrad.ts';
import { adam, adamw } from './adam.ts';
import { elementwise } from './expression.ts';
import type { DecaySource, Optimizer, UpdateRule } from './interface.ts';
import { interpreter } from './interpret.ts';
import { lion } from './lion.ts';
import { sgd } from './sgd.ts';

export type { Optimizer, OptimizerState, OptimizerStep, UpdateRule } from './interface.ts';

/** @param hasDecayVector whether each element has a weight decay of its own, in place of the spec's */
export function updateRule(spec: OptimizerSpec, hasDecayVector: boolean): UpdateRule {
  const decay: DecaySource = hasDecayVector ? 'vector' : spec.weightDecay === 0 ? 'none' : 'constant';
  switch (spec.kind) {
    case 'sgd':
      return sgd(spec, decay);
    case 'adam':
      return adam(spec, decay);
    case 'adamw':
      return adamw(spec, decay);
    case 'adagrad':
      return adagrad(spec, decay);
    case 'lion':
      return lion(spec, decay);
  }
}

export function createOptimizer(spec: OptimizerSpec): Optimizer {
  const variant = (hasDecayVector: boolean) => {
    const rule = updateRule(spec, hasDecayVector);
    return { ...rule, run: interpreter(elementwise(rule.next)) };
  };
  const uniform = variant(false);
  const perElement = variant(true);
  return {
    slots: uniform.slots,
    init: (length) => Object.fromEntries(uniform.slots.map((slot) => [slot, new Float32Array(length)])),
    update({ parameters, gradient, state, step, learningRate, weightDecay }) {
      const vectors = { ...state, parameters, gradient };
      if (weightDecay === undefined) uniform.run(vectors, uniform.constants(step, learningRate));
      else perElement.run({ ...vectors, weightDecay }, perElement.constants(step, learningRate));
    },
  };
}
