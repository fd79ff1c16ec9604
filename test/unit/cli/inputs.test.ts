import { describe, expect, it } from 'vitest';
import type { TensorSpec, TensorValue } from '../../../core/tensors/tensor.ts';
import { parseInputs } from '../../../infra/cli/gradients/inputs.ts';
import { addRange, randomInputs } from '../../../infra/cli/gradients/random-inputs.ts';

const numbersIn = ({ data }: TensorValue) => new Set(Array.from<number | bigint, number>(data, Number));

const x: TensorSpec = { name: 'x', dtype: 'F32', shape: ['batch', 2] };
const ids: TensorSpec = { name: 'ids', dtype: 'I64', shape: ['batch'] };
const good = {
  x: { dtype: 'float32', shape: [1, 2], data: [1, 0.1] },
  ids: { dtype: 'int64', shape: [1], data: [7] },
};

describe('inputs from JSON', () => {
  it.each([
    ['the inputs alone', good],
    ['a whole file', { inputs: good, loss: 1, grads: {} }],
  ])('%s', (_, json) => {
    expect(parseInputs(json, [x, ids])).toEqual({
      x: { dtype: 'F32', shape: [1, 2], data: Float32Array.of(1, 0.1) },
      ids: { dtype: 'I64', shape: [1], data: BigInt64Array.of(7n) },
    });
  });

  it('a model may have an input called inputs', () => {
    const json = { inputs: good.x };
    expect(parseInputs(json, [{ ...x, name: 'inputs' }])).toHaveProperty('inputs.dtype', 'F32');
    expect(parseInputs({ inputs: json }, [{ ...x, name: 'inputs' }])).toHaveProperty('inputs.dtype', 'F32');
  });

  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ['a missing input', { x: good.x }, /input ids is missing/],
    ['an unknown input', { ...good, z: good.x }, /no input z: its inputs are x, ids/],
    ['another dtype', { ...good, x: { ...good.x, dtype: 'float64' } }, /given as float64.*asks for float32/],
    ['another rank', { ...good, x: { ...good.x, shape: [2] } }, /x is \[2\].*\[batch, 2\]/],
    ['another size', { ...good, x: { ...good.x, shape: [2, 1] } }, /x is \[2, 1\].*\[batch, 2\]/],
    ['too little data', { ...good, x: { ...good.x, data: [1] } }, /1 elements.*needs 2/],
    ['nested data', { ...good, x: { ...good.x, data: [[1, 2]] } }, /x\.data\[0\]/],
    [
      'a fraction among integers',
      { ...good, ids: { ...good.ids, data: [0.5] } },
      /is 0.5, which no int64 is/,
    ],
    ['an integer beyond 2^53', { ...good, ids: { ...good.ids, data: [2 ** 60] } }, /which no int64 is/],
    [
      'a float32 overflow',
      { ...good, x: { ...good.x, data: [1e300, 0] } },
      /is 1e\+300, which no float32 is/,
    ],
    ['no object', 3, /expected/i],
  ];
  it.each(wrong)('refuses %s', (_, json, message) => {
    expect(() => parseInputs(json, [x, ids])).toThrow(message);
  });
});

describe('random inputs', () => {
  it('are the same for the same seed, symbolic dimensions 2, integers 0 or 1', () => {
    const values = randomInputs([x, ids], new Map(), 5);
    expect(values).toEqual(randomInputs([x, ids], new Map(), 5));
    expect(values).not.toEqual(randomInputs([x, ids], new Map(), 6));
    expect(values).toMatchObject({ x: { shape: [2, 2] }, ids: { shape: [2] } });
    const wide = randomInputs([{ ...ids, shape: [100] }], new Map(), 5);
    expect(numbersIn(wide['ids']!)).toEqual(new Set([0, 1]));
  });

  it('keep to a range, both ends included', () => {
    const range = addRange('ids=-1..1', new Map());
    const values = randomInputs([{ ...ids, shape: [100] }], range, 5);
    expect(numbersIn(values['ids']!)).toEqual(new Set([-1, 0, 1]));
    const floats = randomInputs([{ ...x, shape: [100] }], addRange('x=2..3', new Map()), 5);
    expect([...(floats['x']!.data as Float32Array)].every((value) => value >= 2 && value <= 3)).toBe(true);
  });

  it.each(['ids', 'ids=1', 'ids=3..1', '=0..1'])('refuse the range %s', (text) => {
    expect(() => addRange(text, new Map())).toThrow(/name=lo\.\.hi/);
  });

  it('refuse a range of no input, a fraction, and what the element type does not hold', () => {
    expect(() => randomInputs([x], addRange('y=0..1', new Map()), 0)).toThrow(/no input y/);
    expect(() => randomInputs([ids], addRange('ids=0..1.5', new Map()), 0)).toThrow(/whole numbers/);
    const bytes: TensorSpec = { name: 'b', dtype: 'U8', shape: [100] };
    expect(() => randomInputs([bytes], addRange('b=0..300', new Map()), 0)).toThrow(/which no uint8 is/);
  });
});
