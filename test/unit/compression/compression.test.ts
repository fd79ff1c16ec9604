import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeVector, encodeVector } from '../../../core/compression/codec.ts';
import { BLOCK, decodeDense, encodeDense } from '../../../core/compression/dense.ts';
import { compress } from '../../../core/compression/feedback.ts';
import { float16Bits, float16Value } from '../../../core/compression/float16.ts';
import { decodePlaces, encodePlaces, largestPlaces } from '../../../core/compression/top-k.ts';
import { createRandom } from '../../../core/random.ts';
import type { TensorValue } from '../../../core/tensors/tensor.ts';

const asMap = (tensors: Record<string, TensorValue>) => new Map(Object.entries(tensors));
const bytesOf = (tensors: Record<string, TensorValue>) =>
  Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
// Not the largest there are: rounded up they would be infinities, which the merge refuses.
const float32 = fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 127), max: 2 ** 127 });
const vectors = fc
  .array(float32, { minLength: 1, maxLength: 3 * BLOCK })
  .map((values) => Float32Array.from(values));

describe('float16', () => {
  test('every pattern comes back', () => {
    for (let bits = 0; bits < 0x1_0000; bits++) {
      const value = float16Value(bits);
      if (Number.isNaN(value)) expect(float16Bits(value) & 0x7fff).toBe(0x7e00);
      else expect(float16Bits(value)).toBe(bits);
    }
  });

  test('rounds to the nearer of two neighbours, to the even one from half-way', () => {
    // Between all neighbours up to the largest: the half-way point and the floats beside it.
    const next = new Float32Array(1);
    const word = new Uint32Array(next.buffer);
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [float16Value(bits), float16Value(bits + 1)];
      next[0] = (low + high) / 2;
      expect(float16Bits(next[0])).toBe(bits % 2 === 0 ? bits : bits + 1);
      word[0]! += 1;
      expect(float16Bits(next[0])).toBe(bits + 1);
      word[0]! -= 2;
      expect(float16Bits(-next[0])).toBe(bits | 0x8000);
    }
    expect(float16Bits(65_519)).toBe(0x7bff);
    expect(float16Bits(65_520)).toBe(0x7c00);
  });
});

describe('dense vectors', () => {
  test('of int8 are off by half a step at most, in each block by its own', () => {
    fc.assert(
      fc.property(vectors, (values) => {
        const { values: codes, scales } = encodeDense(values, 'int8');
        expect(codes.dtype).toBe('I8');
        const decoded = decodeDense(encodeDense(values, 'int8'), values.length);
        for (let i = 0; i < values.length; i++) {
          const step = (scales!.data as Float32Array)[Math.floor(i / BLOCK)]!;
          expect(Math.abs(decoded[i]! - values[i]!)).toBeLessThanOrEqual(step * 0.500_1 + 1e-42);
        }
      }),
    );
  });

  test('of fp16 keep 11 bits from the largest down to a thousandth of a thousandth of it, however large that is', () => {
    fc.assert(
      fc.property(vectors, (values) => {
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const decoded = decodeDense(encodeDense(values, 'fp16'), values.length);
        for (let i = 0; i < values.length; i++) {
          const allowed = Math.max(Math.abs(values[i]!) * 2 ** -11, largest * 2 ** -38, 2 ** -140);
          expect(Math.abs(decoded[i]! - values[i]!)).toBeLessThanOrEqual(allowed);
        }
      }),
    );
  });

  test('of fp32 are what they were', () => {
    const values = Float32Array.of(1.1, -0, 3e38);
    expect(decodeDense(encodeDense(values, 'fp32'), 3)).toEqual(values);
  });

  test('of another length are refused', () => {
    for (const precision of ['fp32', 'fp16', 'int8'] as const)
      expect(() => decodeDense(encodeDense(new Float32Array(5), precision), 6)).toThrow(/no vector of 6/);
  });
});

describe('the largest', () => {
  test('are those a sort finds, of equals the first', () => {
    const few = fc.array(fc.constantFrom(0, -0, 1, -1, 2, -2, 0.5, 1e-40, -3e38), {
      minLength: 1,
      maxLength: 40,
    });
    const given = fc.oneof(few, fc.array(float32, { minLength: 1, maxLength: 200 }));
    fc.assert(
      fc.property(given, fc.double({ min: 0, max: 1, noNaN: true }), (numbers, fraction) => {
        const values = Float32Array.from(numbers);
        const k = Math.max(1, Math.ceil(fraction * values.length));
        const sorted = [...values.keys()]
          .sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!) || a - b)
          .slice(0, k)
          .sort((a, b) => a - b);
        expect([...largestPlaces(values, k)]).toEqual(sorted);
      }),
    );
  });

  test('have places that come back, in a byte each where they are close', () => {
    const ascending = fc
      .uniqueArray(fc.integer({ min: 0, max: 3_000_000 }), { minLength: 1, maxLength: 50 })
      .map((places) => Uint32Array.from(places.sort((a, b) => a - b)));
    fc.assert(
      fc.property(ascending, (places) => {
        expect(decodePlaces(encodePlaces(places), places.length, 3_000_001)).toEqual(places);
      }),
    );
    expect(encodePlaces(Uint32Array.of(3, 100, 227))).toHaveLength(3);
  });

  test('have places that are refused where they cannot be', () => {
    const places = encodePlaces(Uint32Array.of(3, 9));
    expect(() => decodePlaces(places, 2, 9)).toThrow(/place 9 is outside/);
    expect(() => decodePlaces(places, 1, 20)).toThrow(/other than 1 places/);
    expect(() => decodePlaces(places, 3, 20)).toThrow(/other than 3 places/);
  });
});

describe('a vector', () => {
  const random = createRandom(1);
  const values = Float32Array.from({ length: 1000 }, random.normal);

  test.each([
    [{ values: 'fp32' as const }, 4000],
    [{ values: 'fp16' as const }, 2004],
    [{ values: 'int8' as const }, 1016],
    // 50 values of a byte, a scale, and 50 gaps.
    [{ values: 'int8' as const, fraction: 0.05 }, 104],
  ])('as %o has %i bytes, and the rest of it stays exact', (codec, expected) => {
    const tensors = encodeVector('change', values, codec);
    expect(bytesOf(tensors)).toBe(expected);
    const whole = decodeVector('change', asMap(tensors), 1000);
    expect(whole.filter((value) => value !== 0).length).toBeGreaterThanOrEqual(
      'fraction' in codec ? 50 : 900,
    );
    const parted = decodeVector('change', asMap(encodeVector('change', values, codec, 990)), 1000, 990);
    expect(parted.subarray(990)).toEqual(values.subarray(990));
  });

  test('that is not all there is refused by tensor', () => {
    const tensors = asMap(encodeVector('change', values, { values: 'fp32' }, 990));
    expect(() => decodeVector('gradient', tensors, 1000, 990)).toThrow(/no tensor gradient.values/);
    expect(() => decodeVector('change', tensors, 1001, 990)).toThrow(/change.rest is not F32 \[11\]/);
  });
});

describe('error feedback', () => {
  const LENGTH = 600;
  const zeros = () => ({ error: new Float32Array(LENGTH), velocity: new Float32Array(LENGTH) });

  test.each([
    { values: 'int8' as const },
    { values: 'fp32' as const, fraction: 0.02 },
    { values: 'int8' as const, fraction: 0.02 },
  ])('with %o sends in the long run what there was to send', (codec) => {
    const random = createRandom(5);
    const residual = zeros();
    const due = new Float64Array(LENGTH);
    const sent = new Float64Array(LENGTH);
    for (let round = 0; round < 200; round++) {
      const change = Float32Array.from({ length: LENGTH }, () => 0.3 + random.normal());
      const tensors = compress('change', change, residual, { codec });
      const arrived = decodeVector('change', asMap(tensors), LENGTH);
      for (let i = 0; i < LENGTH; i++) {
        due[i]! += change[i]!;
        sent[i]! += arrived[i]!;
      }
    }
    for (let i = 0; i < LENGTH; i++) expect(sent[i]! + residual.error[i]!).toBeCloseTo(due[i]!, 3);
    // What is left is that of a few rounds at the top of the queue, not of all of them.
    const left = Math.hypot(...residual.error) / Math.hypot(...due);
    expect(left).toBeLessThan(codec.fraction === undefined ? 0.01 : 0.6);
  });

  test('with momentum correction is the algorithm of the paper, element by element', () => {
    const random = createRandom(9);
    const momentum = { factor: 0.9, nesterov: false };
    const residual = zeros();
    const [u, v] = [new Float32Array(LENGTH), new Float32Array(LENGTH)];
    for (let round = 0; round < 20; round++) {
      const gradient = Float32Array.from({ length: LENGTH }, random.normal);
      const codec = { values: 'fp32' as const, fraction: 0.1 };
      const arrived = decodeVector(
        'gradient',
        asMap(compress('gradient', gradient, residual, { codec, momentum })),
        LENGTH,
      );
      for (let i = 0; i < LENGTH; i++) {
        u[i] = 0.9 * u[i]! + gradient[i]!;
        v[i] = v[i]! + u[i]!;
      }
      const threshold = [...v].map(Math.abs).sort((a, b) => b - a)[59]!;
      const expected = v.map((value) => (Math.abs(value) >= threshold ? value : 0));
      expect(arrived).toEqual(expected);
      for (let i = 0; i < LENGTH; i++) if (expected[i] !== 0) u[i] = v[i] = 0;
      expect(residual.error).toEqual(v);
      expect(residual.velocity).toEqual(u);
    }
  });

  test("looks ahead with Nesterov's momentum, as the optimizer would", () => {
    const residual = zeros();
    const ones = new Float32Array(LENGTH).fill(1);
    const codec = { values: 'fp32' as const, fraction: 1 / LENGTH };
    const momentum = { factor: 0.5, nesterov: true };
    compress('change', ones, residual, { codec, momentum });
    compress('change', ones, residual, { codec, momentum });
    // u: 1, then 1.5; v: 1 + 0.5, then + 1 + 0.75.
    expect(residual.velocity.at(-1)).toBe(1.5);
    expect(residual.error.at(-1)).toBe(3.25);
  });
});
