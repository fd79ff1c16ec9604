import { describe, expect, it } from 'vitest';
import { OptimizerSpec } from '../../../core/contracts/optimizer.ts';
import { createOptimizer } from '../../../core/optimizers/optimizer.ts';
import { OPTIMIZERS } from './specs.ts';

const RATE = 0.1;

/** One float64 number under the gradient of x²/2 + 3x. */
type Reference = (theta: number, t: number, gradient: number) => number;

/** The papers' algorithms as they are written there, without any regard for speed or rounding. */
const references: Record<string, { spec: object; reference: () => Reference }> = {
  sgd: { spec: { kind: 'sgd' }, reference: () => (theta, _, g) => theta - RATE * g },
  'sgd with weight decay': {
    spec: { kind: 'sgd', weightDecay: 0.2 },
    reference: () => (theta, _, g) => theta - RATE * (g + 0.2 * theta),
  },
  momentum: {
    spec: { kind: 'sgd', momentum: 0.9 },
    reference() {
      let u = 0;
      return (theta, _, g) => theta - RATE * (u = 0.9 * u + g);
    },
  },
  nesterov: {
    spec: { kind: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 0.2 },
    reference() {
      let u = 0;
      return (theta, _, gradient) => {
        const g = gradient + 0.2 * theta;
        u = 0.9 * u + g;
        return theta - RATE * (g + 0.9 * u);
      };
    },
  },
  adam: { spec: { kind: 'adam' }, reference: () => adamReference(0, 0) },
  'adam with weight decay': {
    spec: { kind: 'adam', weightDecay: 0.2 },
    reference: () => adamReference(0.2, 0),
  },
  adamw: { spec: { kind: 'adamw', weightDecay: 0.2 }, reference: () => adamReference(0, 0.2) },
  adagrad: {
    spec: { kind: 'adagrad' },
    reference() {
      let s = 0;
      return (theta, _, g) => theta - (RATE * g) / (Math.sqrt((s += g * g)) + 1e-10);
    },
  },
  lion: {
    spec: { kind: 'lion', weightDecay: 0.2 },
    reference() {
      let m = 0;
      return (theta, _, g) => {
        const direction = Math.sign(0.9 * m + 0.1 * g);
        m = 0.99 * m + 0.01 * g;
        return theta - RATE * (direction + 0.2 * theta);
      };
    },
  },
};

function adamReference(l2: number, decoupled: number): Reference {
  let [m, v] = [0, 0];
  return (theta, t, gradient) => {
    const g = gradient + l2 * theta;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const mHat = m / (1 - 0.9 ** t);
    const vHat = v / (1 - 0.999 ** t);
    return theta - RATE * (mHat / (Math.sqrt(vHat) + 1e-8) + decoupled * theta);
  };
}

describe('optimizers', () => {
  it.each(Object.entries(references))('%s follows its paper, here in float64', (_, { spec, reference }) => {
    const optimizer = createOptimizer(OptimizerSpec.parse(spec));
    const state = optimizer.init(1);
    const parameters = Float32Array.of(1);
    const next = reference();
    let theta = 1;
    for (let step = 0; step < 30; step++) {
      const gradient = Float32Array.of(parameters[0]! + 3);
      optimizer.update({ parameters, gradient, state, step, learningRate: RATE });
      theta = next(theta, step + 1, theta + 3);
      expect(parameters[0]).toBeCloseTo(theta, 4);
    }
  });

  it('momentum 0 keeps no velocity', () => {
    expect(createOptimizer(OptimizerSpec.parse({ kind: 'sgd' })).slots).toEqual([]);
  });

  it.each(OPTIMIZERS)(
    '%s writes parameters and state only, and the state is averaged like parameters: zeros at first',
    (_, spec) => {
      const optimizer = createOptimizer(spec);
      const state = optimizer.init(3);
      expect(Object.keys(state)).toEqual([...optimizer.slots]);
      for (const vector of Object.values(state)) expect(vector).toEqual(new Float32Array(3));
      const gradient = Float32Array.of(1, -2, 3);
      const parameters = new Float32Array(3);
      const weightDecay = Float32Array.of(0, 0.1, 0.2);
      optimizer.update({ parameters, gradient, state, step: 0, learningRate: 0.1, weightDecay });
      expect(gradient).toEqual(Float32Array.of(1, -2, 3));
      expect(weightDecay).toEqual(Float32Array.of(0, 0.1, 0.2));
      expect(parameters.every((x) => x !== 0)).toBe(true);
    },
  );

  it.each(OPTIMIZERS)('%s: a decay for each element is the one for all where they are equal', (_, spec) => {
    const run = (weightDecay: Float32Array | undefined) => {
      const optimizer = createOptimizer(spec);
      const state = optimizer.init(5);
      const parameters = Float32Array.of(1, -2, 0.3, 0, 1e-3);
      const gradient = Float32Array.of(0.1, 0, -3, 1e-5, 2);
      const given = weightDecay === undefined ? {} : { weightDecay };
      for (let step = 0; step < 5; step++)
        optimizer.update({ parameters, gradient, state, step, learningRate: 0.01, ...given });
      return parameters;
    };
    const uniform = run(undefined);
    expect(run(new Float32Array(5).fill(spec.weightDecay))).toEqual(uniform);
    const mixed = run(Float32Array.of(...new Float32Array(4).fill(spec.weightDecay), 0.5));
    expect(mixed.subarray(0, 4)).toEqual(uniform.subarray(0, 4));
    expect(mixed[4]).not.toBe(uniform[4]);
  });

  it.each(OPTIMIZERS.filter(([, { kind }]) => kind !== 'adagrad'))(
    '%s leaves no denormals behind where gradients stay zero',
    (_, spec) => {
      const optimizer = createOptimizer({ ...spec, weightDecay: 0 });
      const state = optimizer.init(1);
      const parameters = Float32Array.of(1);
      for (let step = 0; step < 10_000; step++) {
        const gradient = Float32Array.of(step === 0 ? 1e-18 : 0);
        optimizer.update({ parameters, gradient, state, step, learningRate: 0.001 });
        for (const [value] of Object.values(state)) {
          const isNormal = Math.abs(value!) >= 2 ** -126;
          expect(value === 0 || isNormal).toBe(true);
        }
      }
      for (const slot of optimizer.slots.filter((each) => each !== 'v'))
        expect(state[slot]).toEqual(Float32Array.of(0));
    },
  );
});
