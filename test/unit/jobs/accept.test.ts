import { beforeEach, describe, expect, test } from 'vitest';
import { AcceptedJob, type TrainRequest } from '../../../core/contracts/job.ts';
import type { Task } from '../../../core/contracts/task.ts';
import { blobKey } from '../../../core/contracts/keys.ts';
import { type Columns, columns } from '../../../core/datasets/columns.ts';
import { importDataset } from '../../../core/datasets/import.ts';
import { acceptJob, MAX_GRAPH_BYTES } from '../../../core/jobs/accept.ts';
import { faultReason } from '../../../core/jobs/each.ts';
import { jobIdFrom } from '../../../core/jobs/id.ts';
import { announceUnfinished, nextTasks } from '../../../core/jobs/resume.ts';
import { newestJobs, viewJob } from '../../../core/jobs/view.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import type { SendOptions } from '../../../core/queue/task-queue.ts';
import { putBlob } from '../../../core/storage/blobs.ts';
import { type MemoryStore, memoryStore } from '../memory-store.ts';

const NOW = new Date('2026-01-02T03:04:05Z');

describe('accepting a job', () => {
  let store: MemoryStore;
  let sent: Task[];
  let spec: TrainRequest;
  let split: Columns;
  const queue = {
    send: (tasks: readonly Task[]) => {
      sent.push(...tasks);
      return Promise.resolve();
    },
  };
  const accept = (request: unknown, job = 'job_00000001') =>
    acceptJob(store, queue, request, { job, now: NOW });

  beforeEach(async () => {
    store = memoryStore();
    sent = [];
    split = columns({
      x: { spec: { dtype: 'F32', shape: [3] }, data: new Float32Array(12) },
      y: { spec: { dtype: 'U8', shape: [] }, data: new Uint8Array(4) },
      pair: { spec: { dtype: 'F32', shape: [2] }, data: new Float32Array(8) },
      single: { spec: { dtype: 'F32', shape: [1] }, data: new Float32Array(4) },
    });
    await importDataset(store, {
      name: 'd',
      splits: { train: split, test: split },
      shards: 2,
      now: () => NOW,
    });
    const graph = buildMlp({ inputs: 3, hidden: [2], classes: 2, inputName: 'x', outputName: 'p' });
    spec = {
      kind: 'train',
      model: { name: 'm', graph: await putBlob(store, graph) },
      dataset: { name: 'd' },
      loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
      shards: 2,
    };
  });

  test('refuses a graph by its size, which it asks for before it reads', async () => {
    const key = blobKey(spec.model.graph);
    const head = store.head.bind(store);
    store.head = async (asked) => {
      const found = await head(asked);
      return asked === key && found !== undefined ? { ...found, size: MAX_GRAPH_BYTES + 1 } : found;
    };
    store.before = (operation, asked) => {
      if (operation === 'get' && asked === key) throw new Error('the graph was read');
    };
    await expect(accept(spec)).rejects.toMatchObject({
      code: 'unprocessable',
      field: 'model.graph',
      message: 'model.graph: the graph has 134217729 bytes; at most 134217728 are allowed',
    });
    expect(sent).toEqual([]);
  });

  test('settles the dataset version, stores the spec and queues the plan', async () => {
    const accepted = await accept(spec);
    expect(accepted.spec).toMatchObject({ kind: 'train', dataset: { name: 'd', version: 1 } });
    expect(sent).toEqual([
      { v: 1, kind: 'plan', job: 'job_00000001' },
      { v: 1, kind: 'watch', job: 'job_00000001', round: 0 },
    ]);
    expect(await viewJob(store, 'job_00000001', NOW)).toMatchObject({ status: 'queued', round: 0 });
    expect(await newestJobs(store, 10)).toEqual(['job_00000001']);
    const task = { v: 1, kind: 'watch', job: 'job_00000001', round: 0, announce: true, number: 1 };
    sent = [];
    await announceUnfinished(store, queue);
    expect(sent).toEqual([task]);
    expect(await nextTasks(store, 'job_00000002')).toEqual([]);
  });

  test('goes on in the trace of who started it first, also after all its messages were lost', async () => {
    const traceparents: unknown[] = [];
    const remembering = {
      send: (_tasks: readonly Task[], { traceparent }: SendOptions = {}) => {
        traceparents.push(traceparent);
        return Promise.resolve();
      },
    };
    const options = { job: 'job_00000001', now: NOW };
    const first = `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`;
    const second = `00-${'b'.repeat(32)}-${'2'.repeat(16)}-01`;
    const accepted = await acceptJob(store, remembering, spec, { ...options, traceparent: first });
    expect(AcceptedJob.parse(accepted).traceparent).toBe(first);
    await acceptJob(store, remembering, spec, { ...options, traceparent: second });
    await announceUnfinished(store, remembering);
    expect(traceparents).toEqual([first, first, first]);
  });

  test('after a restart one that cannot be read keeps no other from going on, and few are asked about at once', async () => {
    for (let job = 1; job <= 20; job++) await accept(spec, `job_${String(job).padStart(8, '0')}`);
    const broken = ['job_00000003', 'job_00000007'];
    for (const job of broken) store.tamper(`jobs/${job}/spec.json`, new Uint8Array([0x7b]));
    let [open, most] = [0, 0];
    store.before = async () => {
      most = Math.max(most, ++open);
      await new Promise(setImmediate);
      open -= 1;
    };
    sent = [];
    const faults = await announceUnfinished(store, queue);
    expect(faults.map(({ job }) => job).toSorted()).toEqual(broken);
    expect(faults.map(faultReason).join()).toMatch(/is not JSON/);
    expect(new Set(sent.map(({ job }) => job)).size).toBe(18);
    expect(most).toBeLessThanOrEqual(8);
  });

  const sound: readonly (readonly [string, TrainRequest['loss'], TrainRequest['release']])[] = [
    [
      'probabilities as the target of classes',
      { kind: 'softmax-cross-entropy', output: 'p', target: 'pair', mask: 'single' },
      { gate: { metric: 'f1', atLeast: 0.5 } },
    ],
    ['two labels at once', { kind: 'binary-cross-entropy', output: 'p', target: 'pair', mask: 'pair' }, {}],
    [
      'a regression',
      { kind: 'mean-squared-error', output: 'p', target: 'pair' },
      { gate: { metric: 'rmse', atMost: 2 } },
    ],
  ];
  test.each(sound)('takes %s', async (_, loss, release) => {
    const accepted = await accept({ ...spec, loss, release });
    expect(accepted.spec).toMatchObject({ loss, release: { channel: 'stable', ...release } });
  });

  test('twice with one id is one job, with another spec a conflict', async () => {
    const first = await accept(spec);
    expect(await accept(spec)).toEqual(first);
    await expect(accept({ ...spec, epochs: 9 })).rejects.toMatchObject({ code: 'conflict' });
  });

  describe('after another dataset version came', () => {
    const again = (splits = { train: split, test: split }) =>
      importDataset(store, { name: 'd', splits, shards: 1, now: () => NOW });
    const misfit = columns({ z: { spec: { dtype: 'F32', shape: [1] }, data: new Float32Array(1) } });

    test.each([
      ['no version', {}],
      ['the version it has', { version: 1 }],
    ])('a retry that names %s is the same job', async (_, version) => {
      const first = await accept(spec);
      await again();
      await again({ train: misfit, test: misfit });
      sent = [];
      expect(await accept({ ...spec, dataset: { name: 'd', ...version } })).toEqual(first);
      expect(sent.map(({ kind }) => kind)).toEqual(['plan', 'watch']);
    });

    const others: readonly (readonly [string, () => unknown])[] = [
      ['another version', () => ({ ...spec, dataset: { name: 'd', version: 2 } })],
      ['other epochs', () => ({ ...spec, epochs: 9 })],
      ['another kind', () => ({ kind: 'evaluate', model: { name: 'm' }, dataset: spec.dataset })],
    ];
    test.each(others)('one that names %s is a conflict', async (_, other) => {
      await accept(spec);
      await again();
      await expect(accept(other())).rejects.toMatchObject({ code: 'conflict' });
    });

    test('a delivery that died before the index was written is made good by the next', async () => {
      store.before = (operation, key) => {
        if (operation === 'put' && key.startsWith('index/')) throw new Error('died');
      };
      await expect(accept(spec)).rejects.toThrow('died');
      store.before = () => undefined;
      await again();
      expect((await accept(spec)).spec).toMatchObject({ dataset: { version: 1 } });
      expect(await newestJobs(store, 10)).toEqual(['job_00000001']);
      expect(sent.map(({ kind }) => kind)).toEqual(['plan', 'watch']);
    });

    test('two deliveries at once that found different newest versions are one job', async () => {
      await again();
      let isFirst = true;
      store.before = async (operation, key) => {
        if (!isFirst || operation !== 'put' || !key.endsWith('/spec.json')) return;
        isFirst = false;
        await accept({ ...spec, dataset: { name: 'd', version: 1 } });
      };
      expect((await accept(spec)).spec).toMatchObject({ dataset: { version: 1 } });
    });
  });

  test('an idempotency key always names the same job', async () => {
    expect(await jobIdFrom('a')).toBe(await jobIdFrom('a'));
    expect(await jobIdFrom('a')).not.toBe(await jobIdFrom('b'));
    expect(await jobIdFrom('a')).toMatch(/^job_[0-9a-f]{16}$/);
  });

  const wrong: readonly (readonly [string, (spec: TrainRequest) => unknown, string, string])[] = [
    ['unknown field', (s) => ({ ...s, colour: 1 }), 'invalid', 'colour'],
    [
      'LoRA of nothing',
      (s) => ({ ...s, lora: { rank: 1, alpha: 1, target: ['x*'] } }),
      'unprocessable',
      'lora.target',
    ],
    ['LoRA without rank', (s) => ({ ...s, lora: { rank: 0, alpha: 1 } }), 'invalid', 'lora.rank'],
    [
      'initialization of nothing',
      (s) => ({ ...s, parameters: { initialize: [{ match: 'x', with: 'zeros' }] } }),
      'unprocessable',
      'parameters.initialize[0].match',
    ],
    [
      'unknown initialization',
      (s) => ({ ...s, parameters: { initialize: [{ match: '*', with: 'he' }] } }),
      'invalid',
      'parameters.initialize[0].with',
    ],
    [
      'negative rate',
      (s) => ({ ...s, optimizer: { kind: 'adam', learningRate: -1 } }),
      'invalid',
      'optimizer.learningRate',
    ],
    ['unknown optimizer', (s) => ({ ...s, optimizer: { kind: 'magic' } }), 'invalid', 'optimizer.kind'],
    ['no such dataset', (s) => ({ ...s, dataset: { name: 'e' } }), 'unprocessable', 'dataset'],
    ['no such version', (s) => ({ ...s, dataset: { name: 'd', version: 7 } }), 'unprocessable', 'dataset'],
    [
      'no such graph',
      (s) => ({ ...s, model: { name: 'm', graph: '0'.repeat(64) } }),
      'unprocessable',
      'model.graph',
    ],
    ['input of another shape', (s) => ({ ...s, inputs: { x: 'y' } }), 'unprocessable', 'inputs.x'],
    ['input that is not there', (s) => ({ ...s, inputs: { z: 'x' } }), 'unprocessable', 'inputs.z'],
    ['no such output', (s) => ({ ...s, loss: { ...s.loss, output: 'q' } }), 'unprocessable', 'loss.output'],
    [
      'target of another shape',
      (s) => ({ ...s, loss: { ...s.loss, target: 'x' } }),
      'unprocessable',
      'loss.target',
    ],
    [
      'class ids that are fractions',
      (s) => ({ ...s, loss: { ...s.loss, target: 'single' } }),
      'unprocessable',
      'loss.target',
    ],
    [
      'target that is not there',
      (s) => ({ ...s, loss: { ...s.loss, target: 'z' } }),
      'unprocessable',
      'loss.target',
    ],
    [
      'mask that is not there',
      (s) => ({ ...s, loss: { ...s.loss, mask: 'z' } }),
      'unprocessable',
      'loss.mask',
    ],
    [
      'mask of another shape',
      (s) => ({ ...s, loss: { ...s.loss, mask: 'pair' } }),
      'unprocessable',
      'loss.mask',
    ],
    [
      'regression of two values on one',
      (s) => ({ ...s, loss: { kind: 'huber', output: 'p', target: 'y' } }),
      'unprocessable',
      'loss.target',
    ],
    [
      'loss that is none',
      (s) => ({ ...s, loss: { kind: 'output', output: 'p' } }),
      'unprocessable',
      'loss.output',
    ],
    ['unknown loss', (s) => ({ ...s, loss: { ...s.loss, kind: 'hinge' } }), 'invalid', 'loss.kind'],
    ['delta of another loss', (s) => ({ ...s, loss: { ...s.loss, delta: 1 } }), 'invalid', 'loss.delta'],
    [
      'gate without a bound',
      (s) => ({ ...s, release: { gate: { metric: 'accuracy' } } }),
      'invalid',
      'release.gate',
    ],
    [
      'gate on both sides',
      (s) => ({ ...s, release: { gate: { metric: 'accuracy', atLeast: 0, atMost: 1 } } }),
      'invalid',
      'release.gate',
    ],
    [
      'gate on a metric of another loss',
      (s) => ({ ...s, release: { gate: { metric: 'mae', atMost: 1 } } }),
      'unprocessable',
      'release.gate.metric',
    ],
    [
      'no such split',
      (s) => ({ ...s, splits: { train: 'train', test: 'none' } }),
      'unprocessable',
      'splits.test',
    ],
    [
      'a warm-up longer than the job',
      (s) => ({ ...s, schedule: { kind: 'linear', warmupSteps: 1 } }),
      'unprocessable',
      'schedule.warmupSteps',
    ],
    [
      'a pattern that matches no parameter',
      (s) => ({ ...s, parameters: { freeze: ['layer3.*'] } }),
      'unprocessable',
      'parameters.freeze',
    ],
    ['more shards than rows', (s) => ({ ...s, shards: 5 }), 'unprocessable', 'shards'],
  ];
  test.each(wrong)('refuses %s by field, before any work', async (_name, change, code, field) => {
    await expect(accept(change(spec))).rejects.toMatchObject({ code, field });
    expect(sent).toEqual([]);
  });
});
