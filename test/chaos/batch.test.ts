/** Batch inference, evaluation and map through the handlers that ship: what they give, and that nothing disturbs it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { createSession } from '../../cloud/adapters/onnxruntime-session.ts';
import { Tensor } from 'onnxruntime-node';
import { OutputManifest } from '../../core/contracts/fan-out.ts';
import {
  blobKey,
  datasetShardKey,
  jobPlanKey,
  outputManifestKey,
  partReportKey,
} from '../../core/contracts/keys.ts';
import { Fault } from '../../core/errors.ts';
import { meterOf } from '../../core/jobs/meter.ts';
import { STALLED_S, sweepJobs } from '../../core/jobs/sweep.ts';
import { createRandom } from '../../core/random.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import { decodeSafetensors } from '../../core/tensors/safetensors.ts';
import {
  CLASSES,
  contents,
  createWorld,
  FEATURES,
  GRAPH,
  JOB,
  type Request,
  ROWS,
  SHARDS,
  testRows,
  type World,
} from './batch-fixture.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});

const BATCH = {
  kind: 'batch',
  model: { name: 'm' },
  dataset: { name: 'd' },
  batchSize: 32,
} satisfies Request;
const LOSS = { kind: 'softmax-cross-entropy', output: 'p', target: 'y' } as const;

/** What a loop around session.run gives, all rows at once. */
async function expected(): Promise<Float32Array> {
  const session = await createSession(GRAPH);
  const x = Float32Array.from(testRows().x, (value) => value / 255);
  const { p } = await session.run({ x: new Tensor('float32', x, [ROWS, FEATURES]) });
  return p!.data as Float32Array;
}

async function manifest(job = JOB): Promise<OutputManifest> {
  return (await getJson(world.store, outputManifestKey(job), OutputManifest))!;
}

async function text(key: string): Promise<string> {
  return new TextDecoder().decode((await world.store.get(key))!.body);
}

describe('batch', () => {
  test('predicts every row once, in order, as a loop around session.run does', async () => {
    await world.accept(BATCH);
    expect(await world.look()).toMatchObject({ kind: 'batch', status: 'queued', rows: 0 });
    await world.drain();
    expect(await world.look()).toMatchObject({
      status: 'succeeded',
      dataset: { name: 'd', version: 1 },
      parts: SHARDS,
      partsDone: SHARDS,
      rows: ROWS,
      rowsDone: ROWS,
      result: { rows: ROWS, output: { shards: SHARDS } },
    });
    const { shards, tensors, rows, model } = await manifest();
    expect(model).toMatchObject({ name: 'm', release: 1, variant: 'fp32' });
    expect(tensors).toEqual([{ name: 'p', dtype: 'F32', shape: [CLASSES] }]);
    expect(rows).toBe(ROWS);
    expect(shards.map(({ start, rows }) => [start, rows])).toEqual(
      Array.from({ length: SHARDS }, (_, k) => [(k * ROWS) / SHARDS, ROWS / SHARDS]),
    );
    // Each report tells what its part took.
    const report = (await world.store.head(partReportKey(JOB, 0)))!;
    expect(meterOf(report)).toMatchObject({ usage: { invocations: 1 }, executions: [{ at: 0 }] });
    const wanted = await expected();
    for (const { key, start, rows } of shards) {
      const file = decodeSafetensors((await world.store.get(key))!.body);
      expect(file.metadata).toEqual({ start: String(start), end: String(start + rows) });
      const { data, shape } = file.tensors.get('p')!;
      expect(shape).toEqual([rows, CLASSES]);
      for (let i = 0; i < data.length; i++)
        expect(Number(data[i])).toBeCloseTo(wanted[start * CLASSES + i]!, 5);
    }
  });

  test('writes JSON Lines and CSV that read back to the same numbers', async () => {
    await world.accept({ ...BATCH, shards: 3 });
    await world.accept({ ...BATCH, shards: 3, format: 'jsonl' }, 'job_0000jsonl');
    await world.accept({ ...BATCH, shards: 3, format: 'csv', outputs: ['p'] }, 'job_00000csv');
    await world.drain();
    const [tensors, lines, csv] = await Promise.all(
      ['', 'jsonl', 'csv'].map(async (format) => {
        const { shards } = await manifest({ jsonl: 'job_0000jsonl', csv: 'job_00000csv' }[format] ?? JOB);
        return shards;
      }),
    );
    let row = 0;
    for (const [k, { key }] of tensors!.entries()) {
      const { data } = decodeSafetensors((await world.store.get(key))!.body).tensors.get('p')!;
      const jsonRows = (await text(lines![k]!.key))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      const [header, ...csvRows] = (await text(csv![k]!.key)).trimEnd().split('\r\n');
      expect(header).toBe('row,p.0,p.1,p.2');
      expect(jsonRows).toHaveLength(data.length / CLASSES);
      expect(csvRows).toHaveLength(data.length / CLASSES);
      for (let i = 0; i < jsonRows.length; i++, row++) {
        const wanted = Array.from({ length: CLASSES }, (_, c) => data[i * CLASSES + c]);
        expect(jsonRows[i].row).toBe(row);
        expect(jsonRows[i].p.map(Math.fround)).toEqual(wanted);
        expect(
          csvRows[i]!.split(',').map((cell, at) => (at === 0 ? Number(cell) : Math.fround(Number(cell)))),
        ).toEqual([row, ...wanted]);
      }
    }
    expect(row).toBe(ROWS);
  });

  test('is started by its JSON as a message, and once though that comes twice', async () => {
    await world.deliver(BATCH, { messageId: 'abc' });
    await world.deliver(BATCH, { messageId: 'abc', redelivered: true });
    expect(new Set(world.tasks.map((task) => task.job)).size).toBe(1);
    const job = world.tasks[0]!.job;
    await world.drain();
    expect(await world.look(job)).toMatchObject({ status: 'succeeded', rowsDone: ROWS });
  });

  test('is started by an object in the inbox, and once though that is announced twice', async () => {
    const announce = (key: string, sequencer: string) =>
      world.deliver({
        Records: [
          { eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', s3: { object: { key, sequencer } } },
        ],
      });
    world.store.tamper('inbox/a job.json', new TextEncoder().encode(JSON.stringify(BATCH)));
    world.store.tamper(
      'inbox/bad.json',
      new TextEncoder().encode(JSON.stringify({ ...BATCH, format: 'xml' })),
    );
    await announce('inbox/a+job.json', '01AF');
    await announce('inbox/a+job.json', '01AF');
    await announce('inbox/bad.json', '02');
    await world.deliver({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'b' });
    const { job } = JSON.parse(await text('outbox/a job/01AF.json')) as { job: string };
    expect(new Set(world.tasks.map((task) => task.job))).toEqual(new Set([job]));
    expect(JSON.parse(await text('outbox/bad/02.json'))).toMatchObject({ code: 'invalid', field: 'format' });
    await world.drain();
    expect(await world.look(job)).toMatchObject({ status: 'succeeded' });
  });

  test.each<[string, object, string, number]>([
    ['an unknown model', { model: { name: 'none' } }, 'model.name', 422],
    ['an unknown release', { model: { name: 'm', release: 9 } }, 'model.release', 422],
    ['an unknown channel', { model: { name: 'm', channel: 'canary' } }, 'model.channel', 422],
    ['a missing variant', { model: { name: 'm', variant: 'int8' } }, 'model.variant', 422],
    [
      'release and channel at once',
      { model: { name: 'm', release: 1, channel: 'stable' } },
      'model.channel',
      400,
    ],
    ['an unknown dataset', { dataset: { name: 'none' } }, 'dataset.name', 422],
    ['an unknown split', { split: 'train' }, 'split', 422],
    ['a tensor of another shape', { inputs: { x: 'y' } }, 'inputs.x', 422],
    ['an unknown tensor', { inputs: { x: 'z' } }, 'inputs.x', 422],
    ['an unknown input', { inputs: { z: 'x' } }, 'inputs.z', 422],
    ['an unknown output', { outputs: ['q'] }, 'outputs', 422],
    ['an output named twice', { outputs: ['p', 'p'] }, 'outputs', 422],
    ['more shards than rows', { shards: ROWS + 1 }, 'shards', 422],
    ['an unknown format', { format: 'xml' }, 'format', 400],
    ['an unknown field', { epochs: 3 }, 'epochs', 400],
  ])('refuses %s', async (_, change, field, status) => {
    const refused = await world.accept({ ...BATCH, ...change }).catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(Fault);
    expect(refused).toMatchObject({ field, status });
    expect(world.tasks).toEqual([]);
  });

  test('a corrupt shard of the dataset fails the job, naming the shard and its rows', async () => {
    world.store.tamper(datasetShardKey('d', 1, 'test', 2), new Uint8Array(100));
    await world.accept(BATCH);
    await world.drain();
    expect(await world.look()).toMatchObject({
      status: 'failed',
      result: {
        field: 'dataset',
        reason:
          "execute (part 2): rows 500 to 749 of test: datasets/d/1/test-00002.safetensors is corrupt: its SHA-256 is not the manifest's",
      },
    });
    // Nothing announces the output of a job that failed.
    expect(await manifest()).toBeUndefined();
  });

  test('cancelled, it takes no more work', async () => {
    await world.accept(BATCH);
    await world.deliver(world.tasks.shift());
    await world.deliver(world.tasks.shift());
    const result = { v: 1, job: JOB, status: 'cancelled', endedAt: '2026-01-02T03:04:05.000Z' };
    world.store.tamper(`jobs/${JOB}/result.json`, new TextEncoder().encode(JSON.stringify(result)));
    await world.drain();
    expect(await world.look()).toMatchObject({ status: 'cancelled', partsDone: 1 });
  });
});

describe('under faults', () => {
  async function undisturbed(): Promise<Map<string, string>> {
    const other = await createWorld();
    await other.accept(BATCH);
    await other.drain();
    return contents(other.store, 'outputs/');
  }

  test('every message twice, in any order: the same bytes', async () => {
    const wanted = await undisturbed();
    const random = createRandom(11);
    await world.accept(BATCH);
    while (world.tasks.length > 0) {
      const [task] = world.tasks.splice(Math.floor(random.uniform() * world.tasks.length), 1);
      await Promise.all([world.deliver(task), world.deliver(task, { redelivered: true })]);
    }
    expect(await world.look()).toMatchObject({ status: 'succeeded' });
    expect(await contents(world.store, 'outputs/')).toEqual(wanted);
  });

  /** A function that dies at any of its requests: whatever it wrote before is there, and its message comes again. */
  test(
    'killed at every request there is, one after the other: the same bytes',
    { timeout: 120_000 },
    async () => {
      const wanted = await undisturbed();
      let deaths = 0;
      for (let fatal = 1; ; fatal++) {
        world = await createWorld();
        await world.accept(BATCH);
        let requests = 0;
        let died = false;
        world.store.before = (operation) => {
          // To die before a request is to die after the one before it.
          if (++requests === fatal && operation !== 'list') {
            died = true;
            throw new Fault('unavailable', 'killed');
          }
        };
        const lost: unknown[] = [];
        for (let task = world.tasks.shift(); task !== undefined; task = world.tasks.shift())
          await world.deliver(task).catch(() => lost.push(task));
        world.store.before = () => undefined;
        for (const task of lost) await world.deliver(task, { redelivered: true });
        await world.drain();
        expect(await world.look(), `killed at request ${fatal}`).toMatchObject({ status: 'succeeded' });
        expect(await contents(world.store, 'outputs/')).toEqual(wanted);
        if (!died) break;
        deaths += 1;
      }
      expect(deaths).toBeGreaterThan(30);
    },
  );

  test('lost messages are found missing by the recheck, but not while others are being done', async () => {
    const wanted = await undisturbed();
    await world.accept(BATCH);
    await world.deliver(world.tasks.shift());
    const [first, ...rest] = world.tasks.splice(0);
    await world.deliver(first);
    expect(world.delayed).toEqual([{ v: 1, kind: 'recheck', job: JOB, done: 0, number: 1 }]);
    await world.deliver(world.delayed.shift());
    // One was done since: the others may be waiting in the queue.
    expect(world.tasks).toEqual([]);
    expect(world.delayed).toEqual([{ v: 1, kind: 'recheck', job: JOB, done: 1, look: 0, number: 2 }]);
    await world.deliver(world.delayed.shift());
    expect(world.tasks).toEqual(rest);
    await world.drain();
    expect(await world.look()).toMatchObject({ status: 'succeeded' });
    expect(await contents(world.store, 'outputs/')).toEqual(wanted);
    await world.deliver(world.delayed.shift());
    expect([...world.tasks, ...world.delayed]).toEqual([]);
  });

  test('rechecks that are delivered twice, each time, stay one chain; where nothing comes of it the job ends', async () => {
    await world.accept(BATCH);
    await world.deliver(world.tasks.shift());
    let looks = 0;
    // Whatever is announced is lost.
    for (; world.delayed.length > 0; world.tasks.splice(0)) {
      expect(world.delayed).toHaveLength(1);
      const recheck = world.delayed.shift();
      await world.deliver(recheck);
      await world.deliver(recheck);
      looks += 1;
    }
    expect(looks).toBe(9);
    expect(await world.look()).toMatchObject({
      status: 'failed',
      result: { reason: expect.stringMatching(/^parts 0, 1, 2, 3 gave no report/) },
    });
  });

  test('when all messages are lost the sweep announces what is missing, and the bytes are the same', async () => {
    const wanted = await undisturbed();
    await world.accept(BATCH);
    await world.deliver(world.tasks.shift());
    await world.deliver(world.tasks.shift());
    const lost = world.tasks.splice(0);
    world.delayed.splice(0);
    const { store, queue } = world.context;
    // By the store's own clock, which is not the job's here.
    const sweep = () => sweepJobs({ store, queue, now: () => new Date(Date.now() + 2 * STALLED_S * 1000) });
    expect((await sweep()).revived).toEqual([JOB]);
    await world.deliver(world.tasks.shift());
    expect(world.tasks).toEqual(lost);
    await world.drain();
    expect(await world.look()).toMatchObject({ status: 'succeeded' });
    expect(await contents(world.store, 'outputs/')).toEqual(wanted);
    expect((await sweep()).revived).toEqual([]);
  });

  test('a function that died between its file and its report: the next one reports what is there', async () => {
    await world.accept(BATCH);
    await world.deliver(world.tasks.shift());
    world.store.before = (operation, key) => {
      if (operation === 'put' && key === partReportKey(JOB, 1)) throw new Fault('unavailable', 'killed');
    };
    const lost: unknown[] = [];
    for (let task = world.tasks.shift(); task !== undefined; task = world.tasks.shift())
      await world.deliver(task).catch(() => lost.push(task));
    world.store.before = () => undefined;
    expect(await world.look()).toMatchObject({ status: 'running', partsDone: SHARDS - 1, rowsDone: 750 });
    for (const task of lost) await world.deliver(task, { redelivered: true });
    await world.drain();
    expect(await contents(world.store, 'outputs/')).toEqual(await undisturbed());
  });
});

describe('evaluate', () => {
  test('adds up over its parts to what one pass gives', async () => {
    const spec = { kind: 'evaluate', model: { name: 'm' }, dataset: { name: 'd' }, loss: LOSS };
    await world.accept({ ...spec, shards: 1 }, 'job_000whole');
    await world.accept({ ...spec, shards: 7 });
    await world.drain();
    const [whole, parts] = [await world.look('job_000whole'), await world.look()];
    const metricsOf = (view: typeof whole) =>
      view?.result?.status === 'succeeded' ? (view.result.metrics ?? {}) : {};
    const wanted = await expected();
    const { y } = testRows();
    const right = [...y].filter((label, row) => {
      const p = wanted.subarray(row * CLASSES, (row + 1) * CLASSES);
      return p.indexOf(Math.max(...p)) === label;
    }).length;
    expect(Object.keys(metricsOf(parts))).toEqual(['accuracy', 'f1', 'loss']);
    expect(metricsOf(parts)['accuracy']).toBe(right / ROWS);
    for (const [name, value] of Object.entries(metricsOf(whole)))
      expect(metricsOf(parts)[name]).toBeCloseTo(value, 12);
  });

  test('needs a loss where the job that trained is gone, and one that fits', async () => {
    const spec = { kind: 'evaluate', model: { name: 'm' }, dataset: { name: 'd' } };
    await expect(world.accept(spec)).rejects.toMatchObject({ field: 'loss', status: 422 });
    await expect(world.accept({ ...spec, loss: { ...LOSS, output: 'q' } })).rejects.toMatchObject({
      field: 'loss.output',
    });
    await expect(world.accept({ ...spec, loss: { ...LOSS, target: 'z' } })).rejects.toMatchObject({
      field: 'loss.target',
    });
  });
});

/** The first rows, as the model sees them. */
function rowItems(length: number): { x: number[] }[] {
  const { x } = testRows();
  return Array.from({ length }, (_, row) => ({
    x: [...x.subarray(row * FEATURES, (row + 1) * FEATURES)].map((value) => value / 255),
  }));
}

describe('map', () => {
  const lines = async (
    job = JOB,
  ): Promise<{ item: number; result?: { p: number[] }; error?: string; field?: string }[]> => {
    const { shards } = await manifest(job);
    const texts = await Promise.all(shards.map(({ key }) => text(key)));
    return texts
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  };

  test('predict answers each item in order, and says which it refuses', async () => {
    const items: unknown[] = rowItems(250);
    items[7] = { x: [1, 2] };
    items[120] = { z: 1 };
    await world.accept({ kind: 'map', function: { kind: 'predict', model: { name: 'm' } }, items });
    await world.drain();
    expect(await world.look()).toMatchObject({
      kind: 'map',
      parts: 3,
      rows: 250,
      result: { status: 'succeeded', rows: 250, failed: 2 },
    });
    const answers = await lines();
    expect(answers.map(({ item }) => item)).toEqual([...items.keys()]);
    expect(answers[7]).toEqual({ item: 7, error: 'x: is [2], the model takes [5]', field: 'x' });
    expect(answers[120]).toMatchObject({ field: 'z' });
    const wanted = await expected();
    for (const { item, result } of answers)
      for (const [c, p] of (result?.p ?? []).entries()) expect(p).toBeCloseTo(wanted[item * CLASSES + c]!, 5);
  });

  describe('of a blob', () => {
    const OTHER = 'job_00000002';
    const PARTS = 40;
    const ITEMS = rowItems(PARTS * 5);
    const LINES = ITEMS.map((item) => `${JSON.stringify(item)}\n\n`).join('');
    const spec = async (jsonl = LINES) => ({
      kind: 'map',
      function: { kind: 'predict', model: { name: 'm' } },
      items: { blob: await putBlob(world.store, new TextEncoder().encode(jsonl)) },
      itemsPerPart: 5,
    });

    /** Bytes that are read of the blob from now on. */
    function readOf(blob: string) {
      const get = world.store.get.bind(world.store);
      const read = { bytes: 0 };
      world.store.get = async (key, options) => {
        const object = await get(key, options);
        if (key === blobKey(blob)) read.bytes += object?.body.length ?? 0;
        return object;
      };
      return read;
    }

    test('its parts read what is theirs: all of them together as much as there is', async () => {
      const request = await spec();
      await world.accept(request);
      await world.deliver(world.tasks.shift());
      const read = readOf(request.items.blob);
      await world.drain();
      expect(await world.look()).toMatchObject({ parts: PARTS, result: { status: 'succeeded', failed: 0 } });
      // 40 times as much before plans said where each part's items lie.
      expect(read.bytes).toBeLessThanOrEqual(LINES.length);
      expect((await lines()).map(({ item }) => item)).toEqual([...ITEMS.keys()]);
    });

    test('a plan that does not say where items lie gives the same', async () => {
      const request = await spec();
      await world.accept(request);
      await world.deliver(world.tasks.shift());
      const key = jobPlanKey(JOB);
      const { itemBytes, ...plan } = JSON.parse(await text(key)) as Record<string, unknown>;
      expect(itemBytes).toHaveLength(PARTS);
      world.store.tamper(key, new TextEncoder().encode(JSON.stringify(plan)));
      world.context.caches.documents.set(key, plan);
      await world.drain();
      const old = await lines();
      await world.accept(request, OTHER);
      await world.drain();
      expect(await lines(OTHER)).toEqual(old);
    });

    test('that changed after the planning is noticed by the part it concerns', async () => {
      const request = await spec();
      await world.accept(request);
      await world.deliver(world.tasks.shift());
      world.store.tamper(blobKey(request.items.blob), new TextEncoder().encode(LINES.replace('0.', '1.')));
      await expect(world.deliver({ v: 1, kind: 'execute', job: JOB, part: 0 })).rejects.toThrow(
        /blob [0-9a-f]{64} is corrupt: its bytes from 0 to/,
      );
      await world.deliver({ v: 1, kind: 'execute', job: JOB, part: 1 });
    });

    test('of a megabyte is refused by its client, of more by the planning, with the line', async () => {
      await expect(world.accept(await spec(`{}\n{\n`))).rejects.toMatchObject({
        code: 'unprocessable',
        field: 'items.blob',
        message: expect.stringContaining('line 2 is not JSON'),
      });
      const request = await spec(`"${'x'.repeat(2 ** 20)}"\n{\n`);
      const read = readOf(request.items.blob);
      await world.accept(request);
      expect(read.bytes).toBe(0);
      await world.drain().catch(() => {});
      expect(await world.look()).toMatchObject({
        result: { status: 'failed', reason: 'plan: items.blob: line 2 is not JSON', field: 'items.blob' },
      });
    });
  });

  test('evaluate answers for each release or split it is given', async () => {
    const applied = { kind: 'evaluate', model: { name: 'm' }, dataset: { name: 'd' }, loss: LOSS };
    await world.accept({ kind: 'map', function: applied, items: [{}, { model: { name: 'm', release: 9 } }] });
    await world.drain();
    const [first, second] = await lines();
    expect(first).toMatchObject({
      result: { rows: ROWS, model: { release: 1 }, metrics: { accuracy: expect.any(Number) } },
    });
    expect(second).toEqual({ item: 1, error: 'model.release: m has no release 9', field: 'model.release' });
  });

  test.each<[string, object, string]>([
    ['an unknown model', { function: { kind: 'predict', model: { name: 'none' } } }, 'function.model.name'],
    ['an unknown kind', { function: { kind: 'train' } }, 'function.kind'],
    ['no items', { items: [] }, 'items'],
    ['a blob that is not there', { items: { blob: '0'.repeat(64) } }, 'items.blob'],
  ])('refuses %s', async (_, change, field) => {
    const spec = { kind: 'map', function: { kind: 'predict', model: { name: 'm' } }, items: [{}] };
    await expect(world.accept({ ...spec, ...change })).rejects.toMatchObject({ field });
  });
});
