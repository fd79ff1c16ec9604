import { expect, test } from 'vitest';
import { createTally } from '../../../cloud/training/engine/tally.ts';
import { combine } from '../../../core/metrics/combine.ts';
import { gateReason } from '../../../core/metrics/gate.ts';

test('parts weigh by what they counted; perplexity and rmse by the means they are made of', () => {
  const whole = combine([
    { count: 3, loss: 1, metrics: { perplexity: Math.exp(1), accuracy: 0.5 } },
    { count: 1, loss: 5, metrics: { perplexity: Math.exp(5), accuracy: 0.9 } },
    { count: 0, loss: 0, metrics: {} },
  ]);
  expect(whole.count).toBe(4);
  expect(whole.loss).toBe(2);
  expect(whole.metrics['perplexity']).toBeCloseTo(Math.exp(2), 9);
  expect(whole.metrics['accuracy']).toBeCloseTo(0.6, 12);
  expect(Object.keys(whole.metrics)).toEqual(['perplexity', 'accuracy']);
  const errors = combine([
    { count: 1, loss: 1, metrics: { rmse: 1 } },
    { count: 1, loss: 1, metrics: { rmse: 7 } },
  ]);
  expect(errors.metrics['rmse']).toBe(5);
});

test('nothing counted is no loss and no metric', () => {
  expect(combine([{ count: 0, loss: 0, metrics: {} }])).toEqual({ count: 0, loss: 0, metrics: {} });
});

test('a tally of batches weighs by count and makes metrics of their sums', () => {
  const tally = createTally(['rmse', 'mae']);
  tally.add({ loss: 2, count: 2, samples: 4, sums: { rmse: 4, mae: 3 } });
  tally.add({ loss: 0, count: 0, samples: 4, sums: { rmse: 0, mae: 0 } });
  tally.add({ loss: 16, count: 2, samples: 4, sums: { rmse: 32, mae: 5 } });
  expect(tally.result()).toEqual({ samples: 12, count: 4, loss: 9, metrics: { rmse: 3, mae: 2 } });
  expect(createTally(['mae']).result()).toEqual({ samples: 0, count: 0, loss: 0, metrics: {} });
});

test.each([
  [{ metric: 'accuracy', atLeast: 0.9 }, { accuracy: 0.9 }, undefined],
  [
    { metric: 'accuracy', atLeast: 0.9 },
    { accuracy: 0.89 },
    /accuracy is 0.89, the gate asks for at least 0.9/,
  ],
  [{ metric: 'mae', atMost: 2 }, { mae: 2 }, undefined],
  [{ metric: 'mae', atMost: 2 }, { mae: 2.1 }, /mae is 2.1, the gate asks for at most 2/],
  [{ metric: 'loss', atMost: 2 }, {}, /loss is unknown/],
  [undefined, {}, undefined],
] as const)('gate %o on %o', (gate, metrics, reason) => {
  const given = gateReason(gate, metrics);
  if (reason === undefined) expect(given).toBeUndefined();
  else expect(given).toMatch(reason);
});
