/** Other losses than that of the main job, from the request to the release, through the whole stack. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TrainRequest } from '../../core/contracts/job.ts';
import { type Column, type Columns, columns, slice } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import { createRandom } from '../../core/random.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import { type Client, createClient } from '../../infra/cli/client.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';
import { temporaryState } from './small-job.ts';

const TRAIN_ROWS = 320;
const TEST_ROWS = 80;
const ROWS = TRAIN_ROWS + TEST_ROWS;

/** y = |x₀ − x₁| + x₂/2, and one target in ten far off. */
function curve(): Columns {
  const random = createRandom(1);
  const data = Float32Array.from({ length: ROWS * 3 }, () => 2 * random.uniform() - 1);
  const values = Float32Array.from({ length: ROWS }, (_, row) => {
    const [a = 0, b = 0, c = 0] = data.subarray(row * 3, row * 3 + 3);
    const outlier = row < TRAIN_ROWS && row % 10 === 0 ? 8 : 0;
    return Math.abs(a - b) + c / 2 + outlier;
  });
  return columns({ x: { spec: { dtype: 'F32', shape: [3] }, data }, y: number(values) });
}
const number = (data: Float32Array): Column => ({ spec: { dtype: 'F32', shape: [] }, data });

const TOKENS = 6;
const FEATURES = 4;
const CLASSES = 3;

/** A token's class is that of the largest of its first three features. Where the mask is 0 the label is anything. */
function sentences(): Columns {
  const random = createRandom(2);
  const tokens = ROWS * TOKENS;
  const data = Float32Array.from({ length: tokens * FEATURES }, () => random.uniform());
  const mask = Uint8Array.from({ length: tokens }, () => (random.below(3) === 0 ? 0 : 1));
  const label = BigInt64Array.from({ length: tokens }, (_, token) => {
    const features = [...data.subarray(token * FEATURES, token * FEATURES + CLASSES)];
    return BigInt(mask[token] === 0 ? random.below(CLASSES) : features.indexOf(Math.max(...features)));
  });
  return columns({
    tokens: { spec: { dtype: 'F32', shape: [TOKENS, FEATURES] }, data },
    label: { spec: { dtype: 'I64', shape: [TOKENS] }, data: label },
    seen: { spec: { dtype: 'BOOL', shape: [TOKENS] }, data: mask },
  });
}

/** The same linear layer on every token, for any number of them. */
function tagger(): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder(['scores']);
  graph.input({ name: 'tokens', dtype: 'F32', shape: ['batch', 'length', FEATURES] });
  const shape = [FEATURES, CLASSES];
  graph.initializer('weight', { dtype: 'F32', shape, data: new Float32Array(FEATURES * CLASSES) });
  graph.op('MatMul', ['tokens', 'weight'], {}, 'scores');
  graph.output({ name: 'scores', dtype: 'F32', shape: ['batch', 'length', CLASSES] });
  return encodeModel(graph.build('tagger'));
}

describe('losses through the whole stack', () => {
  let state: Awaited<ReturnType<typeof temporaryState>>;
  let stack: Stack;
  let client: Client;

  beforeAll(async () => {
    state = await temporaryState();
    stack = await startStack({ stateDir: state.path, port: 0 });
    client = createClient(stack.routerUrl);
  });
  afterAll(async () => {
    await stack?.stop();
    await state?.remove();
  });

  async function train(
    name: string,
    rows: Columns,
    graph: Uint8Array<ArrayBuffer>,
    more: Pick<TrainRequest, 'loss' | 'release'>,
  ) {
    const splits = { train: slice(rows, 0, TRAIN_ROWS), test: slice(rows, TRAIN_ROWS, ROWS) };
    await importDataset(stack.store, { name, splits, shards: 2, now: () => new Date() });
    const { job } = await client.createJob({
      kind: 'train',
      model: { name, graph: await putBlob(stack.store, graph) },
      dataset: { name },
      optimizer: { kind: 'adam', learningRate: 0.02 },
      schedule: 'cosine',
      epochs: 12,
      batchSize: 16,
      shards: 2,
      strategy: { kind: 'local-sgd', localSteps: 40 },
      ...more,
    } satisfies TrainRequest);
    const result = await client.follow(job, () => {});
    return { result, view: await client.job(job) };
  }
  const regressor = () =>
    buildMlp({
      inputs: 3,
      hidden: [16],
      classes: 1,
      activation: 'none',
      inputName: 'x',
      outputName: 'value',
    });

  test(
    'a regression with outliers: Huber, released at a mean absolute error',
    { timeout: 30_000 },
    async () => {
      const { result, view } = await train('curve', curve(), regressor(), {
        loss: { kind: 'huber', output: 'value', target: 'y', delta: 0.5 },
        release: { gate: { metric: 'mae', atMost: 0.3 } },
      });
      expect(result).toMatchObject({ status: 'succeeded' });
      const metrics = result.status === 'succeeded' ? result.metrics : {};
      expect(Object.keys(metrics)).toEqual(['mae', 'rmse', 'loss']);
      expect(metrics['rmse']).toBeGreaterThanOrEqual(metrics['mae']!);
      const [first, last] = [view.history[0]!, view.history.at(-1)!];
      expect(last.loss).toBeLessThan(first.loss);
      expect(last.metrics['mae']).toBeLessThan(first.metrics['mae']!);
      // The outliers weigh on the training rows, the test rows have none.
      expect(last.metrics['mae']).toBeGreaterThan(metrics['mae']!);
    },
  );

  test(
    'a class for every token, some masked: perplexity, over those that count',
    { timeout: 30_000 },
    async () => {
      const { result, view } = await train('tags', sentences(), tagger(), {
        loss: { kind: 'softmax-cross-entropy', output: 'scores', target: 'label', mask: 'seen' },
        release: { gate: { metric: 'perplexity', atMost: 2.5 } },
      });
      expect(result).toMatchObject({ status: 'succeeded' });
      const metrics = result.status === 'succeeded' ? result.metrics : {};
      expect(Object.keys(metrics)).toEqual(['perplexity', 'accuracy', 'f1', 'loss']);
      // A third of the labels is noise: counted in, no more than 0.78 could be right.
      expect(metrics['accuracy']).toBeGreaterThan(0.9);
      expect(metrics['perplexity']).toBeCloseTo(Math.exp(metrics['loss']!), 9);
      const { loss, metrics: trained } = view.history.at(-1)!;
      expect(trained['perplexity']).toBeCloseTo(Math.exp(loss), 4);
      expect(trained['accuracy']).toBeGreaterThan(0.9);
    },
  );

  test('a target that is no number ends the job, by tensor and element', { timeout: 30_000 }, async () => {
    const rows = curve();
    rows.tensors['y']!.data[7] = NaN;
    const { result } = await train('holes', rows, regressor(), {
      loss: { kind: 'mean-squared-error', output: 'value', target: 'y' },
    });
    expect(result).toMatchObject({ status: 'failed', field: 'dataset.y' });
    expect(result.status === 'failed' && result.reason).toMatch(/y has value NaN at element 7: .*finite/);
  });

  test('so does one among the held-out rows', { timeout: 30_000 }, async () => {
    const rows = curve();
    rows.tensors['y']!.data[TRAIN_ROWS + 3] = Infinity;
    const { result } = await train('far', rows, regressor(), {
      loss: { kind: 'mean-squared-error', output: 'value', target: 'y' },
    });
    expect(result).toMatchObject({ status: 'failed', field: 'dataset.y' });
    expect(result.status === 'failed' && result.reason).toMatch(/y has value Infinity at element 3/);
  });

  test('a mask that lets nothing count ends the job', { timeout: 30_000 }, async () => {
    const { tensors } = sentences();
    const seen = { ...tensors['seen']!, data: new Uint8Array(ROWS * TOKENS) };
    const { result } = await train('blind', columns({ ...tensors, seen }), tagger(), {
      loss: { kind: 'softmax-cross-entropy', output: 'scores', target: 'label', mask: 'seen' },
    });
    expect(result).toMatchObject({ status: 'failed', field: 'loss' });
    expect(result.status === 'failed' && result.reason).toMatch(/counts nothing/);
  });
});
