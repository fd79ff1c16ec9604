/** The main job as a newcomer runs it, and what it must reach. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { readManifest, readRows } from '../../core/datasets/read.ts';
import { slice } from '../../core/datasets/columns.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import { type Client, createClient } from '../../infra/cli/client.ts';
import { ensureMnist, sendSamples, summarize, type TrainedModel } from '../../infra/cli/main-job.ts';
import { MNIST } from '../../infra/cli/mnist.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';
import { temporaryState } from './small-job.ts';

const BATCH = 250;
const CLASSES = 10;

/** The index of each row's largest score. */
function classes(scores: ArrayLike<number>): number[] {
  return Array.from({ length: scores.length / CLASSES }, (_, row) => {
    const ofRow = Array.from({ length: CLASSES }, (_, i) => scores[row * CLASSES + i] ?? 0);
    return ofRow.indexOf(Math.max(...ofRow));
  });
}

describe('the main job', () => {
  let state: Awaited<ReturnType<typeof temporaryState>>;
  let stack: Stack;
  let client: Client;
  let model: TrainedModel;

  beforeAll(async () => {
    state = await temporaryState();
    stack = await startStack({ stateDir: state.path, port: 0 });
    client = createClient(stack.routerUrl);
    model = await ensureMnist(stack, client);
  }, 180_000);

  afterAll(async () => {
    await stack?.stop();
    await state?.remove();
  });

  test('trains to at least 97.5 % in 5 epochs and moves the channel', async () => {
    expect(model.release.metrics['accuracy']).toBeGreaterThanOrEqual(0.975);
    expect(model.release.release).toBe(1);
    expect(await client.models()).toEqual({
      models: [{ name: MNIST, releases: 1, channels: { stable: 1 } }],
    });
    const job = await client.job(model.release.lineage.job);
    expect(job.samples).toBe(5 * 60_000);
    expect(job.history.at(-1)?.loss).toBeLessThan(job.history[0]?.loss ?? 0);
  });

  test('answers samples from the edge and from the cloud, and says why', async () => {
    const samples = await sendSamples(stack, client, () => {});
    const { routes } = summarize(model, samples);
    expect(routes.edge).toBeGreaterThan(0);
    expect(routes.cloud).toBeGreaterThan(0);
    expect(samples.every(({ prediction }) => prediction.reason !== '')).toBe(true);
    expect(samples.filter(({ answer, label }) => answer === label).length).toBeGreaterThanOrEqual(18);
  });

  test('the edge agrees with onnxruntime-node on all 10,000 test images', { timeout: 120_000 }, async () => {
    const manifest = await readManifest(stack.store, MNIST);
    const rows = await readRows(stack.store, manifest, 'test', { start: 0, end: 10_000 });
    const session = await nativeRuntime().load(
      await getBlob(stack.store, model.release.variants.fp32.sha256),
    );
    let agreed = 0;
    let correct = 0;
    for (let start = 0; start < 10_000; start += BATCH) {
      const { tensors } = slice(rows, start, start + BATCH);
      const data = Float32Array.from(tensors['image']!.data as Uint8Array, (value) => value / 255);
      const inputs = [{ name: 'image', shape: [BATCH, 784], datatype: 'FP32', data: [...data] }];
      const { body, target } = await client.infer(`/v2/models/${MNIST}/infer`, JSON.stringify({ inputs }), {
        'x-causeway-target': 'edge',
      });
      expect(target).toBe('edge');
      const native = await session.run({ image: { dtype: 'F32', shape: [BATCH, 784], data } }, [
        'probabilities',
      ]);
      const atEdge = classes(body.outputs[0]!.data);
      const expected = classes(native['probabilities']!.data as Float32Array);
      agreed += atEdge.filter((answer, i) => answer === expected[i]).length;
      correct += atEdge.filter((answer, i) => answer === Number(tensors['label']!.data[i])).length;
    }
    await session.release();
    expect(agreed / 10_000).toBeGreaterThanOrEqual(0.9999);
    expect(correct / 10_000).toBeGreaterThanOrEqual(0.975);
  });

  test('refuses what is wrong by field, with the right status', async () => {
    const post = (path: string, body: string, headers: Record<string, string> = {}) =>
      fetch(`${stack.routerUrl}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      });
    const infer = (body: unknown) => post(`/v2/models/${MNIST}/infer`, JSON.stringify(body));
    const input = (more: object) => ({
      inputs: [{ name: 'image', shape: [1, 784], datatype: 'FP32', data: Array(784).fill(0), ...more }],
    });
    const job = (more: object) => post('/v1/jobs', JSON.stringify({ ...VALID_JOB, ...more }));
    const VALID_JOB = {
      kind: 'train',
      model: { name: 'm', graph: model.release.lineage.graph },
      dataset: { name: MNIST },
      loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
    };
    const cases: readonly (readonly [string, Promise<Response>, number, RegExp])[] = [
      ['malformed JSON', post(`/v2/models/${MNIST}/infer`, '{'), 400, /JSON/],
      ['wrong shape', infer(input({ shape: [1, 783] })), 400, /inputs\[0\]/],
      ['wrong dtype', infer(input({ datatype: 'INT64' })), 400, /inputs\[0\]\.datatype/],
      ['no number', infer(input({ data: Array(784).fill(null) })), 400, /inputs\[0\]\.data/],
      ['unknown output', infer({ ...input({}), outputs: [{ name: 'nope' }] }), 400, /nope/],
      ['unknown model', post('/v2/models/nope/infer', JSON.stringify(input({}))), 404, /nope/],
      [
        'unknown version',
        post(`/v2/models/${MNIST}/versions/99/infer`, JSON.stringify(input({}))),
        404,
        /99/,
      ],
      ['body too large', post(`/v2/models/${MNIST}/infer`, ' '.repeat(5 * 1024 * 1024)), 413, /bytes/],
      [
        'deadline',
        post(`/v2/models/${MNIST}/infer`, '{}', { 'x-causeway-deadline-ms': 'soon' }),
        400,
        /deadline/,
      ],
      ['unknown job field', job({ colour: 'red' }), 400, /colour/],
      ['unknown dataset', job({ dataset: { name: 'nope' } }), 422, /dataset/],
      ['other tensor', job({ inputs: { image: 'label' } }), 422, /inputs\.image/],
      ['no such output', job({ loss: { ...VALID_JOB.loss, output: 'logits' } }), 422, /loss\.output/],
      ['job that is not there', fetch(`${stack.routerUrl}/v1/jobs/job_00000000`), 404, /job/],
      ['path that is not there', fetch(`${stack.routerUrl}/v3`), 404, /path/],
    ];
    for (const [name, answer, status, message] of cases) {
      const response = await answer;
      const text = await response.text();
      expect([name, response.status], text).toEqual([name, status]);
      const body = JSON.parse(text) as { error: string };
      expect(body.error, name).toMatch(message);
      expect(text, name).not.toMatch(/\.ts:\d|\n\s+at /);
    }
  });
});
