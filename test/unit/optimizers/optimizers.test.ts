import { describe, expect, it } from 'vitest';
import { createWorkspace } from '../../../cloud/training/engine/workspace.ts';
import { OptimizerSpec } from '../../../core/contracts/job.ts';
import { createOptimizer } from '../../../core/optimizers/optimizer.ts';
import { learningRateAt } from '../../../core/optimizers/schedule.ts';
import { createRandom } from '../../../core/random.ts';

const ADAM = OptimizerSpec.parse({ kind: 'adam', learningRate: 0.1 });
const SGD = OptimizerSpec.parse({ kind: 'sgd', learningRate: 0.1 });
const MOMENTUM = OptimizerSpec.parse({ kind: 'sgd', learningRate: 0.1, momentum: 0.9 });

/** The gradient of x²/2 + 3x at each step: what the reference values below were computed for by hand. */
function descend(spec: OptimizerSpec, start: number, steps: number): number[] {
  const optimizer = createOptimizer(spec);
  const parameters = Float32Array.of(start);
  const state = optimizer.init(1);
  return Array.from({ length: steps }, (_, step) => {
    const gradient = Float32Array.of(parameters[0]! + 3);
    optimizer.update({ parameters, gradient, state, step, learningRate: spec.learningRate });
    return parameters[0]!;
  });
}

describe('optimizers', () => {
  it('sgd: θ − αg', () => {
    const [first, second] = descend(SGD, 1, 2);
    expect(first).toBeCloseTo(1 - 0.1 * 4, 6);
    expect(second).toBeCloseTo(0.6 - 0.1 * 3.6, 6);
  });

  it('momentum: the velocity is 0.9 of the last one plus the gradient', () => {
    const [first, second] = descend(MOMENTUM, 1, 2);
    expect(first).toBeCloseTo(0.6, 6);
    expect(second).toBeCloseTo(0.6 - 0.1 * (0.9 * 4 + 3.6), 6);
  });

  it('adam: algorithm 1 of the paper, in float64 as it is written there', () => {
    let [theta, m, v] = [1, 0, 0];
    const expected = Array.from({ length: 50 }, (_, i) => {
      const t = i + 1;
      const g = theta + 3;
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      const mHat = m / (1 - 0.9 ** t);
      const vHat = v / (1 - 0.999 ** t);
      theta -= (0.1 * mHat) / (Math.sqrt(vHat) + 1e-8);
      return theta;
    });
    const actual = descend(ADAM, 1, 50);
    // The first step has the length of the learning rate, whatever the gradient.
    expect(actual[0]).toBeCloseTo(0.9, 6);
    for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 4);
  });

  it('writes parameters and state only, and the state is averaged like parameters: zeros at first', () => {
    for (const spec of [ADAM, SGD, MOMENTUM]) {
      const optimizer = createOptimizer(spec);
      const state = optimizer.init(3);
      expect(Object.keys(state)).toEqual([...optimizer.slots]);
      for (const vector of Object.values(state)) expect(vector).toEqual(new Float32Array(3));
      const gradient = Float32Array.of(1, -2, 3);
      const parameters = new Float32Array(3);
      optimizer.update({ parameters, gradient, state, step: 0, learningRate: 0.1 });
      expect(gradient).toEqual(Float32Array.of(1, -2, 3));
      expect(parameters.every((x) => x !== 0)).toBe(true);
    }
  });

  it('leaves no denormals behind where gradients stay zero', () => {
    const optimizer = createOptimizer(ADAM);
    const state = optimizer.init(1);
    const parameters = Float32Array.of(1);
    for (let step = 0; step < 1600; step++) {
      const gradient = Float32Array.of(step === 0 ? 1 : 0);
      optimizer.update({ parameters, gradient, state, step, learningRate: 0.001 });
    }
    expect(state['m']).toEqual(Float32Array.of(0));
  });
});

describe('the SIMD kernel', () => {
  // 1003 is no multiple of four: the last vector reaches into padding.
  it.each([1, 4, 1003])('gives the very bits of the scalar code, for %i parameters', (length) => {
    const random = createRandom(1, length);
    const workspace = createWorkspace(ADAM, length);
    const optimizer = createOptimizer(ADAM);
    const state = optimizer.init(length);
    const parameters = Float32Array.from({ length }, random.normal);
    workspace.parameters.set(parameters);
    for (let step = 0; step < 100; step++) {
      // Magnitudes from 1 down to where squares underflow, zeros among them.
      const scale = 10 ** (-step / 4);
      for (let i = 0; i < length; i++)
        workspace.gradient[i] = random.below(5) === 0 ? 0 : random.normal() * scale;
      optimizer.update({ parameters, gradient: workspace.gradient, state, step, learningRate: 0.01 });
      workspace.update(step, 0.01);
    }
    const bits = (vector: Float32Array) => [...new Uint32Array(vector.slice().buffer)];
    expect(bits(workspace.parameters)).toEqual(bits(parameters));
    expect(bits(workspace.state['m']!)).toEqual(bits(state['m']!));
    expect(bits(workspace.state['v']!)).toEqual(bits(state['v']!));
  });

  it('has a workspace for optimizers without a kernel too', () => {
    const workspace = createWorkspace(MOMENTUM, 2);
    workspace.gradient.set([1, 2]);
    workspace.update(0, 0.5);
    expect([...workspace.parameters]).toEqual([-0.5, -1]);
    expect([...workspace.state['momentum']!]).toEqual([1, 2]);
  });
});

describe('schedules', () => {
  it('begin at the base rate; linear and cosine end at zero', () => {
    for (const schedule of ['constant', 'linear', 'cosine'] as const) {
      expect(learningRateAt(schedule, 0.5, 0, 11)).toBe(0.5);
      expect(learningRateAt(schedule, 0.5, 0, 1)).toBe(0.5);
    }
    expect(learningRateAt('constant', 0.5, 10, 11)).toBe(0.5);
    expect(learningRateAt('linear', 0.5, 5, 11)).toBeCloseTo(0.25, 12);
    expect(learningRateAt('linear', 0.5, 10, 11)).toBe(0);
    expect(learningRateAt('cosine', 0.5, 5, 11)).toBeCloseTo(0.25, 12);
    expect(learningRateAt('cosine', 0.5, 2, 11)).toBeCloseTo((0.5 * (1 + Math.cos(0.2 * Math.PI))) / 2, 12);
    expect(learningRateAt('cosine', 0.5, 10, 11)).toBeCloseTo(0, 12);
  });
});
