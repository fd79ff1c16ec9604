/** What a plan reckons with, beside what the fleet's own functions put into the store. */
import { expect, test } from 'vitest';
import { putState } from '../../../cloud/training/parts.ts';
import { prepareUpdate } from '../../../cloud/training/updates.ts';
import type { JobPlan, ParameterSlot, TrainRequest } from '../../../core/contracts/job.ts';
import { measureExchange } from '../../../core/planning/exchange.ts';
import { slicesOf } from '../../../core/strategies/slices.ts';
import { strategyOf } from '../../../core/strategies/table.ts';
import { memoryStore } from '../memory-store.ts';
import { specOf } from './jobs.ts';

const LENGTH = 2_500;
const PARAMETERS: ParameterSlot[] = [
  { name: 'w', shape: [40, 60], offset: 0, length: 2_400 },
  { name: 'b', shape: [100], offset: 2_400, length: 100 },
];

test.each<[string, Partial<TrainRequest>]>([
  ['states, one merger', { strategy: { kind: 'local-sgd', localSteps: 4 } }],
  ['states, three mergers', { strategy: { kind: 'local-sgd', localSteps: 4, mergers: 3 } }],
  ['gradients', { strategy: { kind: 'all-reduce' } }],
  ['gradients, three mergers', { strategy: { kind: 'all-reduce', mergers: 3 } }],
  [
    'int8, downloaded in fp16',
    { strategy: { kind: 'diloco', localSteps: 4 }, compression: { values: 'int8', download: 'fp16' } },
  ],
  [
    'the same by three mergers, and what the shard keeps',
    {
      strategy: { kind: 'diloco', localSteps: 4, mergers: 3 },
      compression: { values: 'int8', download: 'fp16', topK: { fraction: 0.1 } },
    },
  ],
])('bytes are those of the store: %s', async (_, given) => {
  const spec = specOf(given);
  const strategy = strategyOf(spec);
  const slices = slicesOf(PARAMETERS, strategy.mergers);
  const layout = { parameters: PARAMETERS, ...(slices.length > 1 ? { slices } : {}) };
  const store = memoryStore();
  const vector = () => Float32Array.from({ length: LENGTH }, (__, i) => Math.sin(i));
  const slots = Object.fromEntries(strategy.slots.map((slot) => [slot, vector()]));
  const pieces = await putState(store, layout, strategy, { parameters: vector(), slots });
  const update = await prepareUpdate(
    store,
    layout as JobPlan,
    strategy,
    { sha256: '0'.repeat(64), model: undefined, residuals: undefined },
    {
      report: { shard: 10, samples: 1000, count: 1000, loss: Math.PI, metrics: { accuracy: Math.E } },
      vectors:
        strategy.sends === 'state' ? { parameters: vector(), ...slots } : { [strategy.sends]: vector() },
    },
  );

  const { bytes } = await measureExchange(spec, PARAMETERS, () => 0);
  expect(bytes.state).toBe(pieces.state.bytes);
  expect(bytes.model).toBe(pieces.model?.bytes ?? 0);
  // But for the digits of figures.
  expect(Math.abs(bytes.file - update.length)).toBeLessThanOrEqual(16);
});
