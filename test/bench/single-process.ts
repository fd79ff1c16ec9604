/**
 * What the fleet is measured against: the same model, batches and optimizer on the same engine, in one process
 * without queue, store or rounds; and the rate at which the runtime multiplies matrices, the ceiling of it all.
 */
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { localSteps } from '../../cloud/training/engine/local-steps.ts';
import { loadProgram } from '../../cloud/training/engine/program.ts';
import { buildTrainingGraph } from '../../core/autodiff/training-graph.ts';
import type { OptimizerSpec } from '../../core/contracts/optimizer.ts';
import type { Metrics } from '../../core/contracts/primitives.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { squareMatmul } from './matmul.ts';

const PIXELS = 784;
const CLASSES = 10;

export interface SingleProcessRequest {
  /** 8-bit images, 784 pixels each, and their class ids. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly batchSize: number;
  readonly epochs: number;
  readonly optimizer: OptimizerSpec;
  readonly seed?: number;
  /** Threads inside one operator, default 1. */
  readonly threads?: number;
}

export interface SingleProcessResult {
  readonly samples: number;
  /** Training alone; the graph was built and the session created before. */
  readonly seconds: number;
  readonly samplesPerSecond: number;
  /** Of the last epoch, over the training rows. */
  readonly loss: number;
  readonly metrics: Metrics;
}

/** Trains the 784-128-10 perceptron. */
export async function trainAlone(request: SingleProcessRequest): Promise<SingleProcessResult> {
  const { images, labels, batchSize, epochs, optimizer, seed = 0, threads = 1 } = request;
  const model = decodeModel(
    buildMlp({ inputs: PIXELS, hidden: [128], classes: CLASSES, seed, inputName: 'image' }),
  );
  const training = buildTrainingGraph(model, await inferTypes(model), {
    inputs: { image: { tensor: 'image', dtype: 'U8', divisor: 255 } },
    loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
    target: { dtype: 'U8', shape: [] },
  });
  const program = await loadProgram(training.graph, training.parameters, { threads });
  const rows = {
    image: { dtype: 'U8', shape: [labels.length, PIXELS], data: images },
    label: { dtype: 'U8', shape: [labels.length], data: labels },
  } as const;
  const stepsPerEpoch = Math.ceil(labels.length / batchSize);
  const steps = stepsPerEpoch * epochs;
  const common = {
    program,
    rows,
    optimizer,
    schedule: { kind: 'constant', warmupSteps: 0 },
    seed,
    shard: 0,
    stepsPerEpoch,
    steps,
  } as const;
  const start = {
    parameters: training.initial,
    state: createOptimizer(optimizer).init(program.length),
  };
  // The first run allocates and compiles: it is not what lasts.
  await localSteps({ ...common, ...start, from: 0, to: Math.min(8, steps) });

  const began = performance.now();
  let { parameters, state } = start;
  let [loss, samples] = [NaN, 0];
  let metrics: Metrics = {};
  for (let epoch = 0; epoch < epochs; epoch++) {
    const from = epoch * stepsPerEpoch;
    const result = await localSteps({ ...common, parameters, state, from, to: from + stepsPerEpoch });
    ({ parameters, state, loss, metrics } = result);
    samples += result.samples;
  }
  const seconds = (performance.now() - began) / 1000;
  await program.release();
  return { samples, seconds, samplesPerSecond: samples / seconds, loss, metrics };
}

/** Floating-point operations a second, in units of 10⁹, of a square MatMul: the best of some runs. */
export async function matmulGflops({ runs = 50, threads = 1 } = {}): Promise<number> {
  const { run, flops, release } = await squareMatmul(threads);
  let best = Infinity;
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    await run();
    best = Math.min(best, performance.now() - began);
  }
  await release();
  return flops / (best / 1000) / 1e9;
}

/**
 * Floating-point operations a sample costs: two per weight forward, two for the weight's gradient, and two more in
 * all layers but the first for the activations' gradient.
 */
export const FLOPS_PER_SAMPLE = 4 * PIXELS * 128 + 6 * 128 * CLASSES;
