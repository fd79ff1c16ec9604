/** SIMD kernels against the plain code that defines the bits. */
import { describe, expect, it } from 'vitest';
import { createWorkspace } from '../../../cloud/training/engine/workspace.ts';
import { OptimizerSpec } from '../../../core/contracts/optimizer.ts';
import { clipScale, sumOfSquares } from '../../../core/optimizers/clip.ts';
import { createOptimizer } from '../../../core/optimizers/optimizer.ts';
import { createRandom } from '../../../core/random.ts';
import { OPTIMIZERS } from './specs.ts';

const SGD = OptimizerSpec.parse({ kind: 'sgd' });

/** From zeros over denormals to where squares overflow; both infinities and NaN. */
const ODD = [
  0,
  -0,
  1e-45,
  -3e-42,
  1.17e-38,
  -1e-30,
  1e-19,
  -1,
  3e18,
  -2e19,
  1e30,
  -3.4e38,
  Infinity,
  -Infinity,
  NaN,
];

/** Bits, but for the payload of NaN, which no standard settles. -0 and 0 differ. */
function expectSameBits(actual: Float32Array, expected: Float32Array): void {
  const bits = (vector: Float32Array) => [...new Uint32Array(vector.slice().buffer)];
  const canonical = (vector: Float32Array) => vector.map((x) => (Number.isNaN(x) ? NaN : x));
  expect(bits(canonical(actual))).toEqual(bits(canonical(expected)));
}

describe.each(OPTIMIZERS)('%s', (_, spec) => {
  // 1, 3 and 1003 are no multiples of four: the last vector reaches into padding. 513 is more than a block.
  const cases = [1, 3, 4, 513, 1003].flatMap((length) =>
    [false, true].map((decay) => [length, decay] as const),
  );
  it.each(cases)('kernel and plain code agree on %i parameters, a decay for each: %s', (length, hasDecay) => {
    const random = createRandom(1, length);
    const weightDecay = hasDecay
      ? Float32Array.from({ length }, () => (random.below(2) === 0 ? 0 : 0.1))
      : undefined;
    const workspace = createWorkspace({ optimizer: spec, length, weightDecay });
    const optimizer = createOptimizer(spec);
    const state = optimizer.init(length);
    const parameters = Float32Array.from({ length }, random.normal);
    workspace.parameters.set(parameters);
    for (let step = 0; step < 60; step++) {
      // Magnitudes from 1 down to where squares underflow, zeros among them.
      const scale = 10 ** (-step / 2);
      for (let i = 0; i < length; i++)
        workspace.gradient[i] = random.below(5) === 0 ? 0 : random.normal() * scale;
      const { gradient } = workspace;
      const decay = weightDecay === undefined ? {} : { weightDecay };
      optimizer.update({ parameters, gradient, state, step, learningRate: 0.01, ...decay });
      workspace.update(step, 0.01);
    }
    expect(parameters.every(Number.isFinite)).toBe(true);
    expectSameBits(workspace.parameters, parameters);
    for (const slot of optimizer.slots) expectSameBits(workspace.state[slot]!, state[slot]!);
  });

  it('agree on every pair of odd numbers', () => {
    const pairs = ODD.flatMap((parameter) => ODD.map((gradient) => [parameter, gradient] as const));
    const length = pairs.length;
    const workspace = createWorkspace({ optimizer: spec, length });
    const optimizer = createOptimizer(spec);
    const state = optimizer.init(length);
    const parameters = Float32Array.from(pairs, ([parameter]) => parameter);
    const gradient = Float32Array.from(pairs, ([, value]) => value);
    workspace.parameters.set(parameters);
    for (const [i, slot] of optimizer.slots.entries()) {
      // Slots of their own odd numbers: every third meets every pair's neighbour. A v below zero cannot be.
      for (let j = 0; j < length; j++) state[slot]![j] = Math.abs(ODD[(j * (i + 2)) % ODD.length]!);
      workspace.state[slot]!.set(state[slot]!);
    }
    for (let step = 0; step < 3; step++) {
      workspace.gradient.set(gradient);
      optimizer.update({ parameters, gradient, state, step, learningRate: 0.01 });
      workspace.update(step, 0.01);
      expectSameBits(workspace.parameters, parameters);
      for (const slot of optimizer.slots) expectSameBits(workspace.state[slot]!, state[slot]!);
    }
  });
});

describe('clipping', () => {
  it.each([1, 2, 7, 8, 9, 1003])('sums %i squares in one order', (length) => {
    const random = createRandom(2, length);
    const gradient = Float32Array.from({ length }, () => random.normal() * 10 ** (random.below(20) - 10));
    const norm = Math.sqrt(sumOfSquares(gradient));
    const exact = Math.hypot(...gradient);
    expect(Math.abs(norm / exact - 1)).toBeLessThan(1e-14);
    // The kernel's scale shows its sum to the last bit.
    const clipNorm = norm / 3;
    const workspace = createWorkspace({ optimizer: SGD, length, clipNorm });
    workspace.gradient.set(gradient);
    const scale = workspace.clip();
    expect(scale).toBe(clipScale(sumOfSquares(gradient), clipNorm));
    expect(scale).toBeCloseTo(1 / 3, 12);
    expectSameBits(
      workspace.gradient,
      gradient.map((x) => Math.fround(Math.fround(scale) * x)),
    );
  });

  it('leaves shorter gradients alone, and says so where they are no numbers', () => {
    const workspace = createWorkspace({ optimizer: SGD, length: 2, clipNorm: 5 });
    workspace.gradient.set([3, -4]);
    expect(workspace.clip()).toBe(1);
    expect([...workspace.gradient]).toEqual([3, -4]);
    workspace.gradient.set([3e38, 3e38]);
    expect(workspace.clip()).toBeGreaterThan(0);
    expect(Math.hypot(...workspace.gradient)).toBeCloseTo(5, 5);
    for (const bad of [Infinity, NaN]) {
      workspace.gradient.set([1, bad]);
      expect(workspace.clip()).toBeNaN();
    }
    expect(createWorkspace({ optimizer: SGD, length: 2 }).clip()).toBe(1);
  });
});

describe('accumulation', () => {
  it.each([[[4]], [[2, 2]], [[3, 2, 2]], [[2, 2, 2, 1, 1]], [[0, 0.5, 3]], [[2, 0]]])(
    'gives the mean over batches that weigh %j',
    (sizes) => {
      const rows = sizes.reduce((sum, size) => sum + size, 0);
      const workspace = createWorkspace({ optimizer: SGD, length: 5, accumulate: 5 });
      const random = createRandom(3);
      const gradients = sizes.map(() => Float32Array.from({ length: 5 }, random.normal));
      // A second step must not remember the first.
      for (let step = 0; step < 2; step++) {
        for (const [index, size] of sizes.entries()) {
          workspace.gradient.set(gradients[index]!);
          workspace.accumulate({ index, of: sizes.length, weight: size });
        }
        for (const [i, mean] of workspace.gradient.entries()) {
          const expected = gradients.reduce((sum, gradient, j) => sum + gradient[i]! * sizes[j]!, 0) / rows;
          expect(mean).toBeCloseTo(expected, 6);
        }
      }
    },
  );

  it('gives none where nothing weighs', () => {
    const workspace = createWorkspace({ optimizer: SGD, length: 3, accumulate: 2 });
    for (const index of [0, 1]) {
      workspace.gradient.set([1, -2, 3]);
      workspace.accumulate({ index, of: 2, weight: 0 });
    }
    expect(Array.from(workspace.gradient, Math.abs)).toEqual([0, 0, 0]);
  });
});

it('a model too large for one memory is refused', () => {
  expect(() =>
    createWorkspace({ optimizer: OptimizerSpec.parse({ kind: 'adam' }), length: 2 ** 28 + 1 }),
  ).toThrow(/268435457 parameters and their 3 companions \(gradient, m, v\) do not fit 4 GiB/);
});
