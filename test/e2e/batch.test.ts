/** Batch inference, evaluation and map on the whole stack: by command line, message and inbox, undisturbed and disturbed. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSqsClient } from '../../cloud/adapters/sqs-queue.ts';
import { OutputManifest } from '../../core/contracts/fan-out.ts';
import { datasetShardKey, outputManifestKey } from '../../core/contracts/keys.ts';
import { type Column, columns } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { getJson } from '../../core/storage/json.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { LogLine } from '../../core/contracts/log.ts';
import { type Client, createClient } from '../../infra/cli/client.ts';
import { connectStore } from '../../infra/cli/connection.ts';
import { LOG_FILE, readLine } from '../../infra/local/function-lines.ts';
import { duplicating } from '../lambda-faults.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';
import { prepareSmallJob, temporaryState } from './small-job.ts';

const MAIN = fileURLToPath(new URL('../../infra/cli/main.ts', import.meta.url));
const SPEC = {
  kind: 'batch',
  model: { name: 'digits' },
  dataset: { name: 'digits' },
  split: 'train',
  shards: 16,
};
const ROWS = 4_000;
const SOON = { timeout: 20_000, interval: 100 };

/** SHA-256 of each file of a job's output, in order. */
async function filesOf(store: ObjectStore, job: string): Promise<string[]> {
  const manifest = await getJson(store, outputManifestKey(job), OutputManifest);
  expect(manifest?.rows).toBe(ROWS);
  return manifest!.shards.map(({ sha256 }) => sha256);
}

async function train(client: Client, store: ObjectStore, traceId?: string): Promise<string> {
  const spec = { ...(await prepareSmallJob(store)), epochs: 1 };
  const job = traceId === undefined ? (await client.createJob(spec)).job : await post(client, spec, traceId);
  expect(await client.follow(job, () => {})).toMatchObject({ status: 'succeeded' });
  return job;
}

/** Starts a job as somebody does who traces his requests. */
async function post({ baseUrl }: Client, spec: object, traceId: string): Promise<string> {
  const answer = await fetch(new URL('/v1/jobs', baseUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: traceparent(traceId) },
    body: JSON.stringify(spec),
  });
  return ((await answer.json()) as { job: string }).job;
}
const traceparent = (traceId: string) => `00-${traceId}-b7ad6b7169203331-01`;
/** Of the jobs below, by how they are started. */
const TRACES = {
  training: '10af7651916cd43dd8448eb211c80319',
  http: '20af7651916cd43dd8448eb211c80319',
  message: '30af7651916cd43dd8448eb211c80319',
  inbox: '40af7651916cd43dd8448eb211c80319',
} as const;

describe('on a stack that delivers every message twice', () => {
  let state: Awaited<ReturnType<typeof temporaryState>>;
  let stack: Stack;
  let client: Client;
  let trained: string;
  beforeAll(async () => {
    state = await temporaryState();
    stack = await startStack({ stateDir: state.path, port: 0, wrapFleet: duplicating });
    client = createClient(stack.routerUrl);
    trained = await train(client, stack.store, TRACES.training);
  });
  afterAll(async () => {
    await stack?.stop();
    await state?.remove();
  });

  const causeway = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      const env = { ...process.env, CAUSEWAY_STATE: state.path };
      execFile(process.execPath, [MAIN, ...args], { env }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
      });
    });
  const words = (line: string) => line.split(' ');

  test('the command line starts, follows and downloads a batch job', { timeout: 120_000 }, async () => {
    const folder = join(state.path, 'predictions');
    const done = await causeway(
      ...words('batch digits --data digits --split test --format csv --batch-size 100'),
      ...words('--deadline 600 --budget-dollars 1 --to'),
      folder,
    );
    expect(done.code, done.err + done.out).toBe(0);
    expect(done.out).toMatch(/rows\/s/);
    expect(done.out).toMatch(/500 rows in 3 files of/);
    expect((await readdir(folder)).toSorted()).toEqual([
      'manifest.json',
      'part-00000.csv',
      'part-00001.csv',
      'part-00002.csv',
    ]);
    const lines = (await readFile(join(folder, 'part-00001.csv'), 'utf8')).split('\r\n');
    expect(lines[0]).toMatch(/^row,probabilities\.0,/);
    expect(lines[1]).toMatch(/^166,/);

    const refused = await causeway(...words('batch digits --data nothing'));
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining('dataset.name: no dataset nothing'),
    });
    const listed = await causeway('jobs');
    expect(listed.out).toMatch(/batch\s+digits\s+succeeded\s+3\/3/);
    const [, id = ''] = /job (job_[0-9a-z]+)/.exec(done.out) ?? [];
    const shown = await causeway('jobs', 'show', id);
    expect(shown.out).toMatch(/^spent: .* of functions, \d+ requests, \S+ dollars$/m);
  });

  test('evaluate gives the figures of the release, by the loss it was trained with', async () => {
    const done = await causeway(...words('evaluate digits --data digits --json'));
    expect(done.code, done.err).toBe(0);
    const { metrics, rows } = JSON.parse(done.out) as { metrics: Record<string, number>; rows: number };
    const [release] = (await client.releases('digits')).releases;
    expect(rows).toBe(500);
    expect(metrics['accuracy']).toBe(release?.metrics['accuracy']);
    expect(metrics['loss']).toBeCloseTo(release?.metrics['loss'] ?? 0, 10);
  });

  test('map asks the model for each line of a file', async () => {
    const file = join(state.path, 'items.jsonl');
    const items = Array.from({ length: 30 }, (_, i) => ({ image: Array<number>(784).fill(i / 30) }));
    await writeFile(file, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    const folder = join(state.path, 'answers');
    const done = await causeway(
      ...words('map predict digits --items-per-part 8 --items'),
      file,
      '--to',
      folder,
      '--json',
    );
    expect(done.code, done.err).toBe(0);
    const texts = await Promise.all(
      [0, 1, 2, 3].map((part) => readFile(join(folder, `part-0000${part}.jsonl`), 'utf8')),
    );
    const answers = texts
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { item: number });
    expect(answers.map(({ item }) => item)).toEqual([...items.keys()]);
    expect(answers[4]).toMatchObject({ result: { probabilities: expect.any(Array) } });
  });

  test('a message and an object of the inbox start jobs; so does HTTP; all to the same bytes', async () => {
    const job = await post(client, SPEC, TRACES.http);
    const sqs = createSqsClient(stack.environment);
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: stack.environment['CAUSEWAY_QUEUE_URL'],
        MessageBody: JSON.stringify(SPEC),
        MessageAttributes: {
          traceparent: { DataType: 'String', StringValue: traceparent(TRACES.message) },
        },
      }),
    );
    await stack.store.put('inbox/digits.json', new TextEncoder().encode(JSON.stringify(SPEC)), {
      metadata: { traceparent: traceparent(TRACES.inbox) },
    });
    const started = async () => {
      const { jobs } = await client.jobs();
      return jobs.filter(
        ({ kind, dataset, model }) => kind === 'batch' && model === 'digits' && dataset !== undefined,
      );
    };
    // One over HTTP, one by message, one of the inbox, and the command line's.
    await expect.poll(async () => (await started()).length, SOON).toBe(4);
    await expect
      .poll(async () => (await started()).filter(({ status }) => status === 'succeeded').length, SOON)
      .toBe(4);
    const { objects } = await stack.store.list('outbox/digits/');
    expect(objects).toHaveLength(1);
    const wanted = await filesOf(stack.store, job);
    expect(wanted).toHaveLength(16);
    for (const { job: other, ...view } of await started())
      if (view.kind === 'batch' && view.rows === ROWS)
        expect(await filesOf(stack.store, other)).toEqual(wanted);
    sqs.destroy();
  });

  /** Of the functions' file, those of a trace. */
  async function linesOf(traceId: string): Promise<LogLine[]> {
    const text = await readFile(join(state.path, LOG_FILE), 'utf8');
    const lines = text.split('\n').map((line) => readLine(line));
    return lines.filter((line) => line !== undefined).filter((line) => line.traceId === traceId);
  }

  test('a trace goes from the request through every message to the last line of its job', async () => {
    const lines = () => linesOf(TRACES.training);
    const kindsOf = (of: readonly LogLine[]) =>
      new Set(of.map((line) => (line.message === 'task' ? line.kind : line.message)));
    // The job has ended before the last handler says so; a watch may come later still.
    await expect
      .poll(async () => [...kindsOf(await lines())], SOON)
      .toEqual(expect.arrayContaining(['request', 'plan', 'shard', 'merge', 'release']));
    /** Whose asking is in no line yet, but for the router's. */
    const orphans = async () => {
      const all = await lines();
      const spans = new Set(all.map(({ spanId }) => spanId));
      return all.filter(({ parentSpanId = '' }) => !spans.has(parentSpanId)).map(({ message }) => message);
    };
    await expect.poll(orphans, SOON).toEqual(['request']);
    const all = await lines();
    expect(new Set(all.map(({ jobId }) => jobId))).toEqual(new Set([trained]));
    const shards = all.flatMap((line) => (line.message === 'task' && line.kind === 'shard' ? [line] : []));
    expect(new Set(shards.map(({ shard }) => shard))).toEqual(new Set([0, 1, 2, 3]));
    for (const { round, attempt, durationMs, ageMs, requestId } of shards)
      expect([round, attempt, durationMs, ageMs, requestId]).toEqual([
        expect.any(Number),
        1,
        expect.any(Number),
        expect.any(Number),
        expect.any(String),
      ]);
  });

  test.each(['http', 'message', 'inbox'] as const)(
    'one that began by %s goes on to the last part',
    async (how) => {
      const kinds = async () => {
        const lines = await linesOf(TRACES[how]);
        return lines.map((line) => (line.message === 'task' ? line.kind : line.message));
      };
      const first = { http: 'request', message: 'batch', inbox: 'inbox' }[how];
      await expect.poll(kinds, SOON).toEqual(expect.arrayContaining([first, 'plan', 'execute']));
      const parts = async () => (await kinds()).filter((kind) => kind === 'execute').length;
      await expect.poll(parts, SOON).toBeGreaterThanOrEqual(SPEC.shards);
    },
  );

  test('the metrics have the queues, and what became of their messages', async () => {
    const answer = await fetch(new URL('/v1/metrics', client.baseUrl));
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = new Map(
      (await answer.text())
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
    expect(samples.get('causeway_queue_messages{queue="dead-letters",state="visible"}')).toBe(0);
    expect(samples.get('causeway_queue_messages{queue="tasks",state="delayed"}')).toBeGreaterThan(0);
    expect(samples.get('causeway_queue_oldest_seconds{queue="dead-letters"}')).toBe(0);
    const done = samples.get('causeway_tasks_total{kind="shard",outcome="done"}');
    expect(done).toBeGreaterThan(0);
    expect(samples.get('causeway_task_duration_seconds_count{kind="shard"}')).toBeGreaterThanOrEqual(done!);
    expect(samples.get('causeway_task_age_seconds_count{kind="shard"}')).toBeGreaterThanOrEqual(done!);
    expect(samples.get('causeway_task_dead_letters_total{kind="shard"}')).toBe(0);
  });

  const deadLetters = async () => {
    const text = await (await fetch(new URL('/v1/metrics', client.baseUrl))).text();
    return Number(/^causeway_queue_messages\{queue="dead-letters",state="visible"\} (\d+)$/m.exec(text)?.[1]);
  };

  test('a corrupt shard fails the job with a reason that names it, over HTTP, and lies in the dead-letter queue', async () => {
    const before = await deadLetters();
    const data = Uint8Array.from({ length: 30 * 784 }, (_, i) => i % 251);
    const image: Column = { spec: { dtype: 'U8', shape: [784], divisor: 255 }, data };
    await importDataset(stack.store, {
      name: 'torn',
      splits: { test: columns({ image }) },
      shards: 3,
      now: () => new Date(),
    });
    await stack.store.put(datasetShardKey('torn', 1, 'test', 1), new Uint8Array(100));
    const { job } = await client.any.createJob({
      kind: 'batch',
      model: { name: 'digits' },
      dataset: { name: 'torn' },
    });
    expect(await client.any.follow(job, () => {})).toMatchObject({
      status: 'failed',
      field: 'dataset',
      reason: expect.stringMatching(
        /^execute \(part 1\): rows 10 to 19 of test: datasets\/torn\/1\/test-00001\.safetensors is corrupt/,
      ),
    });
    await expect.poll(deadLetters, SOON).toBeGreaterThan(before);
  });

  test('a spec by message that is refused is set aside at once', async () => {
    const before = await deadLetters();
    const sqs = createSqsClient(stack.environment);
    const MessageBody = JSON.stringify({ ...SPEC, model: { name: 'nope' } });
    await sqs.send(
      new SendMessageCommand({ QueueUrl: stack.environment['CAUSEWAY_QUEUE_URL'], MessageBody }),
    );
    await expect.poll(deadLetters, SOON).toBeGreaterThan(before);
    sqs.destroy();
  });
});

describe('on a stack that is killed', () => {
  async function startProcess(stateDir: string) {
    const child = spawn(process.execPath, [MAIN, 'up', '--bare', '--port', '0', '--state', stateDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.includes('Ctrl-C')) break;
    }
    const { routerUrl } = JSON.parse(await readFile(join(stateDir, 'stack.json'), 'utf8')) as {
      routerUrl: string;
    };
    return { child, client: createClient(routerUrl) };
  }

  test('a batch job goes on to the same bytes', { timeout: 300_000 }, async () => {
    const state = await temporaryState();
    let { child, client } = await startProcess(state.path);
    try {
      const store = await connectStore({ state: state.path });
      await train(client, store);
      // Many small parts, so that it dies amid them.
      const spec = { ...SPEC, shards: 40 };
      const undisturbed = await client.any.createJob(spec);
      await client.any.follow(undisturbed.job, () => {});
      const wanted = await filesOf(store, undisturbed.job);

      const { job } = await client.any.createJob(spec);
      const killed = once(child, 'exit');
      let done = 0;
      await client.any
        .follow(job, (view) => {
          if (view.kind !== 'batch' || view.partsDone === 0) return;
          done = view.partsDone;
          child.kill('SIGKILL');
          throw new Error('killed');
        })
        .catch(() => 'it would wait for another process to answer');
      await killed;
      expect(done).toBeLessThan(spec.shards);

      ({ child, client } = await startProcess(state.path));
      const result = await client.any.follow(job, () => {});
      expect(result).toMatchObject({ status: 'succeeded', rows: ROWS });
      expect(await filesOf(await connectStore({ state: state.path }), job)).toEqual(wanted);
    } finally {
      const stopped = once(child, 'exit');
      child.kill('SIGINT');
      await stopped;
      await state.remove();
    }
  });
});
