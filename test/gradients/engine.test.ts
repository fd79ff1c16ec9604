/** The engine as the fleet drives it: a training graph on ONNX Runtime, steps of a shard, the same bits each time. */
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { localSteps, type LocalStepsRequest } from '../../cloud/training/engine/local-steps.ts';
import { loadProgram, type TrainingProgram } from '../../cloud/training/engine/program.ts';
import {
  buildTrainingGraph,
  parameterValues,
  type TrainingGraph,
} from '../../core/autodiff/training-graph.ts';
import { OptimizerSpec } from '../../core/contracts/optimizer.ts';
import { Fault } from '../../core/errors.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { withInitializers } from '../../core/onnx/initializers.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { createRandom } from '../../core/random.ts';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import type { WorkerAnswer, WorkerOrder } from './engine-worker.ts';

const PIXELS = 12;
const CLASSES = 3;
const ROWS = 90;
const FORWARD = decodeModel(
  buildMlp({ inputs: PIXELS, hidden: [8], classes: CLASSES, seed: 3, inputName: 'image' }),
);
const ADAM = OptimizerSpec.parse({ kind: 'adam', learningRate: 0.01 });

/** Images whose class shows: the pixels of the class's third are brighter. */
function dataset(): LocalStepsRequest['rows'] {
  const random = createRandom(11);
  const label = Uint8Array.from({ length: ROWS }, () => random.below(CLASSES));
  const image = Uint8Array.from({ length: ROWS * PIXELS }, (_, i) => {
    const isOwn = Math.floor((i % PIXELS) / (PIXELS / CLASSES)) === label[Math.floor(i / PIXELS)];
    return random.below(128) + (isOwn ? 127 : 0);
  });
  return {
    image: { dtype: 'U8', shape: [ROWS, PIXELS], data: image },
    label: { dtype: 'U8', shape: [ROWS], data: label },
  };
}

/** Loss, hits and gradients of the two-layer perceptron, written out in float64. */
function byHand(flat: Float32Array, image: Uint8Array, label: Uint8Array) {
  const hidden = 8;
  const [w1, b1, w2] = [0, PIXELS * hidden, PIXELS * hidden + hidden];
  const b2 = w2 + hidden * CLASSES;
  const gradient = new Float64Array(flat.length);
  let loss = 0;
  let correct = 0;
  for (let row = 0; row < label.length; row++) {
    const x = Array.from(image.subarray(row * PIXELS, (row + 1) * PIXELS), (value) => value / 255);
    const z = Array.from({ length: hidden }, (_, k) =>
      x.reduce((sum, value, j) => sum + value * flat[w1 + j * hidden + k]!, flat[b1 + k]!),
    );
    const h = z.map((value) => Math.max(value, 0));
    const scores = Array.from({ length: CLASSES }, (_, c) =>
      h.reduce((sum, value, k) => sum + value * flat[w2 + k * CLASSES + c]!, flat[b2 + c]!),
    );
    const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    const y = label[row]!;
    loss -= (scores[y]! - Math.log(total)) / label.length;
    if (scores.indexOf(Math.max(...scores)) === y) correct += 1;
    const d = scores.map((score, c) => (Math.exp(score) / total - (c === y ? 1 : 0)) / label.length);
    for (const [c, value] of d.entries()) {
      gradient[b2 + c]! += value;
      for (const [k, active] of h.entries()) gradient[w2 + k * CLASSES + c]! += active * value;
    }
    for (const [k, before] of z.entries()) {
      if (before <= 0) continue;
      const back = d.reduce((sum, value, c) => sum + value * flat[w2 + k * CLASSES + c]!, 0);
      gradient[b1 + k]! += back;
      for (const [j, value] of x.entries()) gradient[w1 + j * hidden + k]! += value * back;
    }
  }
  return { loss, correct, gradient };
}

let training: TrainingGraph;
let program: TrainingProgram;

beforeAll(async () => {
  training = buildTrainingGraph(FORWARD, await inferTypes(FORWARD), {
    inputs: { image: { tensor: 'image', dtype: 'U8', divisor: 255 } },
    loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
    target: { dtype: 'U8', shape: [] },
  });
  program = await loadProgram(training.graph, training.parameters);
});
afterAll(() => program.release());

function request(change: Partial<LocalStepsRequest> = {}): LocalStepsRequest {
  const steps = { from: 0, to: 40, stepsPerEpoch: 4, steps: 40 };
  return {
    program,
    rows: dataset(),
    parameters: training.initial,
    state: createOptimizer(ADAM).init(training.initial.length),
    optimizer: ADAM,
    schedule: { kind: 'cosine', warmupSteps: 0, floor: 0 },
    seed: 5,
    shard: 1,
    ...steps,
    ...change,
  };
}

const bits = (vector: Float32Array) => [...new Uint32Array(vector.slice().buffer)];

describe('training program', () => {
  it('computes what the formulas say, on data as it is stored', async () => {
    const rows = dataset();
    const result = await program.gradients(training.initial, rows);
    const expected = byHand(
      training.initial,
      rows['image']!.data as Uint8Array,
      rows['label']!.data as Uint8Array,
    );
    expect(result.samples).toBe(ROWS);
    expect(result.sums['accuracy']).toBe(expected.correct);
    expect(result.count).toBe(ROWS);
    expect(result.loss).toBeCloseTo(expected.loss, 5);
    const largest = Math.max(...expected.gradient.map(Math.abs));
    for (const [i, value] of expected.gradient.entries())
      expect(Math.abs(result.gradient[i]! - value) / largest).toBeLessThan(1e-5);
  });

  it('takes any batch size, and writes the gradient where it is told', async () => {
    const gradient = new Float32Array(program.length);
    const one = {
      image: { dtype: 'U8', shape: [1, PIXELS], data: new Uint8Array(PIXELS).fill(9) },
      label: { dtype: 'U8', shape: [1], data: Uint8Array.of(2) },
    } as const;
    const result = await program.gradients(training.initial, one, gradient);
    expect(result.samples).toBe(1);
    expect(result.gradient).toBe(gradient);
    expect(gradient.some((value) => value !== 0)).toBe(true);
  });

  it('refuses other parameters, and a batch of another shape', async () => {
    const others = training.parameters.map((slot, i) => (i === 0 ? { ...slot, name: 'other' } : slot));
    await expect(loadProgram(training.graph, others)).rejects.toThrow(/param:layer1.weight/);
    const rows = dataset();
    const wide = { ...rows, image: { dtype: 'U8', shape: [1, 3], data: new Uint8Array(3) } } as const;
    await expect(program.gradients(training.initial, wide)).rejects.toThrow(Fault);
    await expect(program.gradients(new Float32Array(3), rows)).rejects.toThrow(/3 elements/);
  });
});

describe('local steps', () => {
  it('learn: the loss falls and the classes are found', async () => {
    const first = await localSteps(request({ to: 4 }));
    const last = await localSteps(request());
    expect(first.samples).toBe(ROWS);
    expect(last.samples).toBe(10 * ROWS);
    const end = await program.gradients(last.parameters, dataset());
    expect(end.loss).toBeLessThan(first.loss / 2);
    expect(end.sums['accuracy']! / end.count).toBeGreaterThan(0.95);
  });

  it('give the same bits again, and leave what they were given alone', async () => {
    const given = request();
    const before = bits(given.parameters);
    const [once, again] = [await localSteps(given), await localSteps(request())];
    expect(bits(once.parameters)).toEqual(bits(again.parameters));
    expect(bits(once.state['v']!)).toEqual(bits(again.state['v']!));
    expect([once.loss, once.metrics]).toEqual([again.loss, again.metrics]);
    expect(bits(given.parameters)).toEqual(before);
    expect(given.state['m']!.every((value) => value === 0)).toBe(true);
    const other = await localSteps(request({ shard: 2 }));
    expect(bits(other.parameters)).not.toEqual(bits(once.parameters));
  });

  it('can be cut anywhere: 40 steps are 7 and then 33', async () => {
    const whole = await localSteps(request());
    const head = await localSteps(request({ to: 7 }));
    const tail = await localSteps(request({ from: 7, parameters: head.parameters, state: head.state }));
    expect(bits(tail.parameters)).toEqual(bits(whole.parameters));
    expect(bits(tail.state['m']!)).toEqual(bits(whole.state['m']!));
    expect(head.samples + tail.samples).toBe(whole.samples);
  });

  it('give the same bits in worker threads, several at once', async () => {
    const here = await localSteps(request());
    const { program: _, ...rest } = request();
    const order: WorkerOrder = { graph: training.graph, parameters: training.parameters, request: rest };
    const run = () =>
      new Promise<WorkerAnswer>((resolve, reject) => {
        const worker = new Worker(new URL('./engine-worker.ts', import.meta.url), { workerData: order });
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    for (const answer of await Promise.all([run(), run()])) {
      expect(bits(answer.parameters)).toEqual(bits(here.parameters));
      expect(answer.loss).toBe(here.loss);
    }
  });

  it('refuse class ids the model does not know, missing tensors, and a loss that is no number', async () => {
    const rows = dataset();
    const label = { dtype: 'U8', shape: [ROWS], data: new Uint8Array(ROWS).fill(CLASSES) } as const;
    await expect(localSteps(request({ rows: { ...rows, label } }))).rejects.toThrow(/class id 3/);
    await expect(localSteps(request({ rows: { label: rows['label']! } }))).rejects.toThrow(/no tensor image/);
    const parameters = new Float32Array(training.initial.length).fill(NaN);
    await expect(localSteps(request({ parameters }))).rejects.toThrow(/diverged: the loss is NaN at step 0/);
    await expect(localSteps(request({ state: {} }))).rejects.toThrow(/m has 0 elements/);
    await expect(localSteps(request({ to: 41 }))).rejects.toThrow(/not among the job's 40/);
  });

  it('stop when they are told to', async () => {
    const signal = AbortSignal.abort(new Error('deadline'));
    await expect(localSteps(request({ signal }))).rejects.toMatchObject({ code: 'unavailable' });
  });
});

it('a release is the forward graph with the trained parameters, and answers as the training graph counts', async () => {
  const { parameters } = await localSteps(request());
  const rows = dataset();
  const release = withInitializers(FORWARD, parameterValues(training.parameters, parameters));
  const session = await nativeRuntime().load(encodeModel(release));
  expect(session.inputs).toEqual([{ name: 'image', dtype: 'F32', shape: ['batch', PIXELS] }]);
  const image = Float32Array.from(Array.from(rows['image']!.data, Number), (value) => value / 255);
  const { probabilities } = await session.run(
    { image: { dtype: 'F32', shape: [ROWS, PIXELS], data: image } },
    ['probabilities'],
  );
  await session.release();
  const hits = Array.from({ length: ROWS }, (_, row) => {
    const scores = Array.from(probabilities!.data.slice(row * CLASSES, (row + 1) * CLASSES), Number);
    return scores.indexOf(Math.max(...scores)) === rows['label']!.data[row];
  });
  const trained = await program.gradients(parameters, rows);
  expect(hits.filter(Boolean)).toHaveLength(trained.sums['accuracy']!);
});
