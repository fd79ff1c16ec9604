import { describe, expect, it } from 'vitest';
import { derivative } from '../../../core/autodiff/finite-differences.ts';
import { checkTensor } from '../../../core/autodiff/gradient-check.ts';
import { createRandom } from '../../../core/random.ts';

const at = (f: (x: number) => number, x: number) => (offset: number) =>
  Promise.resolve({ value: f(x + offset), offset: x + offset - x });

describe('derivative', () => {
  it.each([
    ['exp', Math.exp, Math.exp(0.7)],
    ['sin(20x)', (x: number) => Math.sin(20 * x), 20 * Math.cos(14)],
    ['1/x', (x: number) => 1 / x, -1 / 0.49],
  ])('of %s to ten digits, and knows how well', async (_, f, expected) => {
    const { value, error } = await derivative(at(f, 0.7), 0.05, 0);
    expect(Math.abs(value - expected)).toBeLessThan(1e-10 * Math.abs(expected));
    expect(error).toBeLessThan(1e-9 * Math.abs(expected));
  });

  it('finds the slope beyond a kink by smaller steps', async () => {
    const { value } = await derivative(at(Math.abs, 0.003), 0.01, 1e-9);
    expect(value).toBeCloseTo(1, 8);
  });
});

describe('checkTensor', () => {
  /** Σ i·xᵢ³, so that ∂/∂xᵢ = 3·i·xᵢ². */
  const argument = Float64Array.of(0.5, -1.5, 2, 0.25);
  const lossOf = () => Promise.resolve(argument.reduce((sum, x, i) => sum + i * x ** 3, 0));
  const right = argument.map((x, i) => 3 * i * x * x);
  const check = (gradient: Float64Array, samples = 4) =>
    checkTensor({ name: 'x', shape: [4], gradient, argument, isSingle: false }, lossOf, {
      samples,
      tolerance: 1e-6,
      smallestScale: 0,
      random: createRandom(1),
    });

  it('passes a right gradient and leaves the argument as it was', async () => {
    const before = argument.slice();
    const result = await check(right);
    expect(result).toMatchObject({ verdict: 'ok', checked: 4, unclear: 0, largest: 24 });
    expect(result.error).toBeLessThan(1e-8);
    expect(argument).toEqual(before);
  });

  it.each([0, 1, 2, 3])('fails a gradient wrong in element %i', async (i) => {
    const wrong = right.with(i, right[i]! + 0.001);
    const result = await check(wrong);
    expect(result.verdict).toBe('wrong');
    expect(result.error).toBeGreaterThan(2e-5);
  });

  it('fails zeros and values that are not finite', async () => {
    expect((await check(new Float64Array(4))).verdict).toBe('wrong');
    expect(await check(right.with(0, NaN))).toMatchObject({ verdict: 'wrong', largest: Infinity });
  });

  it('always checks the largest gradient', async () => {
    expect((await check(right.with(3, 99), 1)).verdict).toBe('wrong');
  });

  it('says that it cannot say', async () => {
    const random = createRandom(3);
    const noisy = () => Promise.resolve(random.normal());
    const options = { samples: 4, tolerance: 1e-6, smallestScale: 0, random: createRandom(1) };
    const tensor = { name: 'x', shape: [4], gradient: right, argument, isSingle: false };
    expect((await checkTensor(tensor, noisy, options)).verdict).not.toBe('ok');
  });
});
