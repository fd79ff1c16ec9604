import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FILTER_NAMES, type FilterName } from '../../../../core/contracts/cascade.ts';
import { Fault } from '../../../../core/errors.ts';
import { FILTERS } from '../../../../core/routing/cascade/filters.ts';
import { judge, judgedOutput } from '../../../../core/routing/cascade/judge.ts';
import type { TensorValue } from '../../../../core/tensors/tensor.ts';

const matrix = (rows: readonly (readonly number[])[]): TensorValue => ({
  dtype: 'F64',
  shape: [rows.length, rows[0]!.length],
  data: Float64Array.from(rows.flat()),
});
const spec = (
  filter: FilterName,
  threshold: number,
  scores: 'probabilities' | 'logits' = 'probabilities',
) => ({
  filter,
  threshold,
  scores,
});
const confidenceOf = (filter: FilterName, row: readonly number[]) =>
  FILTERS[filter].confidence(Float64Array.from(row));

/** Positive weights as probabilities. */
const distribution = fc
  .array(fc.double({ min: 1e-6, max: 1, noNaN: true }), { minLength: 2, maxLength: 12 })
  .map((weights) => {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight) => weight / sum);
  });

describe('confidence', () => {
  it('is the largest probability, the lead over the second, and what entropy leaves', () => {
    const row = [0.5, 0.25, 0.125, 0.125];
    expect(confidenceOf('threshold', row)).toBe(0.5);
    expect(confidenceOf('margin', row)).toBe(0.25);
    // 1.75 of 2 bits.
    expect(confidenceOf('entropy', row)).toBeCloseTo(1 - 1.75 / 2, 12);
  });

  it('of a tie has no lead, and of equal shares no certainty at all', () => {
    expect(confidenceOf('margin', [0.4, 0.4, 0.2])).toBe(0);
    expect(confidenceOf('margin', [0.2, 0.4, 0.4])).toBe(0);
    expect(confidenceOf('entropy', [0.25, 0.25, 0.25, 0.25])).toBeCloseTo(0, 12);
    for (const name of FILTER_NAMES) expect(confidenceOf(name, [0, 1, 0])).toBe(1);
  });

  it.each(FILTER_NAMES)('of %s is from 0 to 1 and knows no order of classes', (name) => {
    fc.assert(
      fc.property(distribution, fc.nat(), (row, turn) => {
        const value = confidenceOf(name, row);
        expect(value).toBeGreaterThanOrEqual(-1e-9);
        expect(value).toBeLessThanOrEqual(1 + 1e-9);
        const by = turn % row.length;
        expect(confidenceOf(name, [...row.slice(by), ...row.slice(0, by)])).toBeCloseTo(value, 9);
      }),
    );
  });

  it.each(FILTER_NAMES)('of %s grows as the likeliest class takes from the others', (name) => {
    fc.assert(
      fc.property(distribution, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (row, share) => {
        const top = row.indexOf(Math.max(...row));
        const surer = row.map((p, i) => (i === top ? p + share * (1 - p) : p * (1 - share)));
        expect(confidenceOf(name, surer)).toBeGreaterThan(confidenceOf(name, row) - 1e-12);
      }),
    );
  });

  it.each(FILTER_NAMES)('of %s is NaN where a probability is', (name) => {
    for (const row of [
      [NaN, 0.5, 0.5],
      [0.5, 0.5, NaN],
    ])
      expect(confidenceOf(name, row)).toBeNaN();
  });
});

describe('a judgement', () => {
  it('finds the rows below the threshold hard; exactly at it is easy', () => {
    const output = matrix([
      [0.9, 0.1],
      [0.75, 0.25],
      [0.6, 0.4],
    ]);
    const { rows, hard, confidence } = judge('p', output, spec('threshold', 0.75));
    expect({ rows, hard, confidence: [...confidence] }).toEqual({
      rows: 3,
      hard: [2],
      confidence: [0.9, 0.75, 0.6],
    });
    expect(judge('p', output, spec('threshold', 0)).hard).toEqual([]);
    expect(judge('p', output, spec('threshold', 1)).hard).toEqual([0, 1, 2]);
  });

  it('finds a row with NaN or infinities hard under any threshold', () => {
    for (const name of FILTER_NAMES)
      for (const wrong of [NaN, Infinity, -Infinity])
        expect(
          judge(
            'p',
            matrix([
              [0, 1],
              [wrong, 1],
            ]),
            spec(name, 0),
          ).hard,
        ).toEqual([1]);
  });

  it.each(FILTER_NAMES)('by %s grows with the threshold', (name) => {
    fc.assert(
      fc.property(
        fc.array(distribution, { minLength: 1, maxLength: 8 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (all, a, b) => {
          const rows = all.map((row) => [...row, ...Array<number>(12 - row.length).fill(0)]);
          const low = judge('p', matrix(rows), spec(name, Math.min(a, b))).hard;
          const high = new Set(judge('p', matrix(rows), spec(name, Math.max(a, b))).hard);
          expect(low.every((row) => high.has(row))).toBe(true);
        },
      ),
    );
  });

  it('of logits is that of their softmax, wherever they lie', () => {
    fc.assert(
      fc.property(distribution, fc.double({ min: -500, max: 500, noNaN: true }), (row, shift) => {
        const logits = row.map((p) => Math.log(p) + shift);
        for (const name of FILTER_NAMES) {
          const [a] = judge('p', matrix([row]), spec(name, 0.5)).confidence;
          const [b] = judge('p', matrix([logits]), spec(name, 0.5, 'logits')).confidence;
          expect(b).toBeCloseTo(a!, 9);
        }
      }),
    );
  });

  it('of logits takes large ones, and classes that cannot be', () => {
    const hard = (row: number[]) => judge('p', matrix([row]), spec('threshold', 0.9, 'logits')).hard;
    expect(hard([1e300, -1e300])).toEqual([]);
    expect(hard([5, -Infinity])).toEqual([]);
    expect(hard([-Infinity, -Infinity])).toEqual([0]);
    expect(hard([Infinity, 0])).toEqual([0]);
  });

  it('takes float32 and what 8 bits make of a softmax', () => {
    const data = Float32Array.of(0.1, 0.2, 0.7004);
    expect(judge('p', { dtype: 'F32', shape: [1, 3], data }, spec('threshold', 0.71)).hard).toEqual([0]);
  });
});

describe('an output that does not fit', () => {
  const refused = (work: () => unknown): { code: string; field: string | undefined; message: string } => {
    try {
      work();
    } catch (thrown) {
      if (thrown instanceof Fault) return { code: thrown.code, field: thrown.field, message: thrown.message };
    }
    throw new Error('was not refused');
  };

  it.each([
    ['logits', [3, -1], 'element 0 is 3'],
    ['shares of something else', [0.5, 0.1], 'they sum to 0.6'],
  ])('is refused as probabilities: %s', (_, row, what) => {
    const fault = refused(() => judge('scores', matrix([row]), spec('margin', 0.5)));
    expect(fault).toMatchObject({ code: 'unprocessable', field: 'cascade.scores' });
    expect(fault.message).toContain(`scores[0] holds no probabilities, ${what}`);
    expect(fault.message).toContain('"logits"');
  });

  it.each([
    ['class ids', { dtype: 'I64', shape: [1], data: BigInt64Array.of(3n) }, 'I64 [1]'],
    ['one class', { dtype: 'F32', shape: [2, 1], data: new Float32Array(2) }, 'F32 [2, 1]'],
    ['a sequence', { dtype: 'F32', shape: [1, 2, 2], data: new Float32Array(4) }, 'F32 [1, 2, 2]'],
  ] as const)('is refused by its form: %s', (_, output, form) => {
    const fault = refused(() => judge('y', output, spec('threshold', 0.5)));
    expect(fault).toMatchObject({ code: 'unprocessable', field: 'cascade.output' });
    expect(fault.message).toContain(`y is ${form}`);
  });

  it('is refused by name, with the names there are', () => {
    const outputs = [
      { name: 'p', dtype: 'F32', shape: ['batch', 2] },
      { name: 'ids', dtype: 'I64', shape: ['batch'] },
    ] as const;
    expect(judgedOutput({ output: 'p' }, outputs)).toBe('p');
    expect(judgedOutput({}, outputs.slice(0, 1))).toBe('p');
    expect(refused(() => judgedOutput({}, outputs)).message).toContain('name one of p, ids');
    expect(refused(() => judgedOutput({ output: 'q' }, outputs)).message).toContain(
      'no output q; it has p, ids',
    );
  });
});
