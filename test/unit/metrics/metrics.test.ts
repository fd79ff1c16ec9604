import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LossSpec } from '../../../core/contracts/loss.ts';
import { createEvaluation, type OutputForm } from '../../../core/metrics/evaluation.ts';
import type { Scored } from '../../../core/metrics/scores/scorer.ts';
import type { DType } from '../../../core/tensors/dtypes.ts';
import { DTYPES } from '../../../core/tensors/dtypes.ts';

const tensor = (dtype: Exclude<DType, 'I64' | 'U64'>, shape: number[], ...values: number[]) => ({
  dtype,
  shape,
  data: DTYPES[dtype].array.from(values),
});
const compared = { output: 'y', target: 't' };
const CLASSES: LossSpec = { kind: 'softmax-cross-entropy', ...compared };
const BINARY: LossSpec = { kind: 'binary-cross-entropy', ...compared };
const SQUARED: LossSpec = { kind: 'mean-squared-error', ...compared };
const HUBER: LossSpec = { kind: 'huber', ...compared, delta: 1 };

function measure(loss: LossSpec, form: OutputForm, batch: Omit<Scored, 'rows'>) {
  const evaluation = createEvaluation(loss, form, batch.output.shape.length);
  evaluation.update({ ...batch, rows: batch.output.shape[0] ?? 0 });
  return evaluation.metrics();
}

describe('classification', () => {
  const probabilities = tensor('F64', [4, 3], 0.5, 0.25, 0.25, 0.1, 0.8, 0.1, 0.2, 0.2, 0.6, 0.7, 0.2, 0.1);
  const target = tensor('U8', [4], 0, 1, 0, 0);

  test('by hand: three of four right', () => {
    const metrics = measure(CLASSES, 'probabilities', { output: probabilities, target });
    expect(metrics['accuracy']).toBe(0.75);
    expect(metrics['loss']).toBeCloseTo(-Math.log(0.5 * 0.8 * 0.2 * 0.7) / 4, 12);
    // Class 0: 2 right, 2 predicted, 3 there: 4/5. Class 1: 1. Class 2: predicted once, wrongly: 0.
    expect(metrics['f1']).toBeCloseTo((0.8 + 1 + 0) / 3, 12);
    expect(Object.keys(metrics)).toEqual(['accuracy', 'f1', 'loss']);
  });

  test('a class that neither occurs nor is predicted is no part of F1', () => {
    const output = tensor('F64', [1, 3], 0.9, 0.05, 0.05);
    expect(measure(CLASSES, 'probabilities', { output, target: tensor('U8', [1], 0) })['f1']).toBe(1);
  });

  test('logits and log-probabilities of the same prediction measure the same', () => {
    const logs = { ...probabilities, data: Float64Array.from(probabilities.data, Math.log) };
    const logits = { ...logs, data: logs.data.map((value) => value + 700) };
    const expected = measure(CLASSES, 'probabilities', { output: probabilities, target });
    for (const [form, output] of [
      ['log-probabilities', logs],
      ['logits', logits],
    ] as const) {
      const metrics = measure(CLASSES, form, { output, target });
      expect(metrics['loss']).toBeCloseTo(expected['loss']!, 9);
      expect(metrics['accuracy']).toBe(expected['accuracy']);
    }
  });

  test('a probability that was rounded to 0 costs what the least float32 would', () => {
    const output = tensor('F32', [1, 2], 1, 0);
    const { loss } = measure(CLASSES, 'probabilities', { output, target: tensor('U8', [1], 1) });
    expect(loss).toBeCloseTo(149 * Math.LN2, 9);
  });

  test('against probabilities: the cross-entropy, and the most likely class', () => {
    const target = tensor('F64', [4, 3], 1, 0, 0, 0, 1, 0, 0.5, 0.2, 0.3, 0, 0, 1);
    const metrics = measure(CLASSES, 'probabilities', { output: probabilities, target });
    const third = -0.5 * Math.log(0.2) - 0.2 * Math.log(0.2) - 0.3 * Math.log(0.6);
    expect(metrics['loss']).toBeCloseTo((-Math.log(0.5) - Math.log(0.8) + third - Math.log(0.1)) / 4, 12);
    expect(metrics['accuracy']).toBe(0.5);
  });

  test('per token: masked and ignored ones do not count; perplexity comes first', () => {
    const output = tensor('F64', [2, 2, 2], 0.9, 0.1, 0.5, 0.5, 0.2, 0.8, 0.3, 0.7);
    const metrics = measure({ ...CLASSES, ignoreIndex: -1 }, 'probabilities', {
      output,
      target: tensor('I32', [2, 2], 0, 1, -1, 1),
      mask: tensor('F32', [2, 2], 1, 0, 1, 3),
    });
    const loss = (-Math.log(0.9) - 3 * Math.log(0.7)) / 4;
    expect(metrics['loss']).toBeCloseTo(loss, 12);
    expect(metrics['perplexity']).toBeCloseTo(Math.exp(loss), 12);
    expect(metrics['accuracy']).toBe(1);
    expect(Object.keys(metrics)[0]).toBe('perplexity');
  });
});

describe('yes or no', () => {
  test('by hand, from probabilities and from logits', () => {
    const probabilities = [0.9, 0.2, 0.6, 0.3];
    const target = tensor('U8', [4], 1, 0, 0, 1);
    const loss = -(Math.log(0.9) + Math.log(0.8) + Math.log(0.4) + Math.log(0.3)) / 4;
    const logits = probabilities.map((p) => Math.log(p / (1 - p)));
    for (const [form, values] of [
      ['probabilities', probabilities],
      ['logits', logits],
    ] as const) {
      const metrics = measure(BINARY, form, { output: tensor('F64', [4, 1], ...values), target });
      expect(metrics['loss']).toBeCloseTo(loss, 12);
      expect(metrics['accuracy']).toBe(0.5);
      // One right yes of two predicted and two there.
      expect(metrics['f1']).toBe(0.5);
    }
  });

  test('stays finite where everything saturates', () => {
    const target = tensor('U8', [2], 0, 1);
    const output = tensor('F32', [2], 1, 0);
    expect(measure(BINARY, 'probabilities', { output, target })['loss']).toBeCloseTo(
      (25 + 149) * Math.LN2 * 0.5,
      9,
    );
    const far = tensor('F32', [2], 1e4, -1e4);
    expect(measure(BINARY, 'logits', { output: far, target })['loss']).toBe(1e4);
  });
});

describe('regression', () => {
  const output = tensor('F64', [2, 2], 1, 2, 3, 5);
  const target = tensor('F64', [2, 2], 1, 2.5, 1, 8);

  test('by hand: errors 0, −½, 2 and −3', () => {
    expect(measure(SQUARED, 'logits', { output, target })).toEqual({
      rmse: Math.sqrt(13.25 / 4),
      mae: 5.5 / 4,
      loss: 13.25 / 4,
    });
    // Half the square of ½; 2 − ½ and 3 − ½ beyond delta 1.
    expect(measure(HUBER, 'logits', { output, target })['loss']).toBe((0.125 + 1.5 + 2.5) / 4);
  });

  test('stored values are divided, and weighted by the mask', () => {
    const stored = { ...tensor('U8', [2, 2], 0, 255, 0, 51), divisor: 255 };
    const mask = tensor('BOOL', [2, 2], 0, 1, 0, 1);
    const predicted = tensor('F64', [2, 2], 9, 1, 9, 0.7);
    expect(measure(SQUARED, 'logits', { output: predicted, target: stored, mask })['mae']).toBeCloseTo(
      0.25,
      12,
    );
  });

  test('a target of another length is refused', () => {
    const other = tensor('F64', [2], 1, 2);
    expect(() => measure(SQUARED, 'logits', { output, target: other })).toThrow(
      /2 target values for 4 outputs/,
    );
  });
});

test("the model's own loss is weighted by rows", () => {
  const evaluation = createEvaluation({ kind: 'output', output: 'loss' }, 'logits', 0);
  evaluation.update({ output: tensor('F32', [], 2), rows: 3 });
  evaluation.update({ output: tensor('F32', [], 6), rows: 1 });
  expect(evaluation.metrics()).toEqual({ loss: 3 });
});

test('where nothing counts there are no metrics', () => {
  const batch = { output: tensor('F64', [1, 2], 1, 2), target: tensor('U8', [1], 0) };
  expect(measure(CLASSES, 'logits', { ...batch, mask: tensor('F32', [1], 0) })).toEqual({});
});

test('in pieces as at once, to the bit', () => {
  const rows = fc.array(
    fc.record({
      output: fc.tuple(...[0, 1, 2].map(() => fc.double({ min: -30, max: 30, noNaN: true }))),
      target: fc.nat({ max: 2 }),
      mask: fc.constantFrom(0, 0.5, 1),
    }),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(
    fc.property(rows, fc.array(fc.nat({ max: 39 })), (all, cuts) => {
      const batchOf = (part: typeof all): Scored => ({
        output: tensor('F64', [part.length, 3], ...part.flatMap(({ output }) => output)),
        target: tensor('U8', [part.length], ...part.map(({ target }) => target)),
        mask: tensor('F32', [part.length], ...part.map(({ mask }) => mask)),
        rows: part.length,
      });
      const whole = createEvaluation(CLASSES, 'logits', 2);
      whole.update(batchOf(all));
      const pieces = createEvaluation(CLASSES, 'logits', 2);
      const ends = [...new Set([...cuts, all.length])].toSorted((a, b) => a - b);
      ends.reduce((start, end) => {
        const part = all.slice(start, end);
        if (part.length > 0) pieces.update(batchOf(part));
        return end;
      }, 0);
      expect(pieces.metrics()).toEqual(whole.metrics());
    }),
  );
});
