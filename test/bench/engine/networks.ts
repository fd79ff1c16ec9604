/** What the engine's benchmarks train, beside the perceptron: convolutional nets and a transformer, on random data. */
import {
  buildTrainingGraph,
  TRAINING_NAMES,
  type TrainingGraph,
  type TrainingRequest,
} from '../../../core/autodiff/training-graph.ts';
import { inferTypes } from '../../../cloud/adapters/onnxruntime-types.ts';
import { buildCnn } from '../../../core/onnx/builders/cnn.ts';
import { buildGpt } from '../../../core/onnx/builders/gpt.ts';
import { decodeModel, encodeModel } from '../../../core/onnx/model.ts';
import { prune } from '../../../core/onnx/names.ts';
import { createRandom } from '../../../core/random.ts';
import { elementCount, type TensorValue } from '../../../core/tensors/tensor.ts';

export interface Network {
  readonly name: string;
  readonly graph: Uint8Array;
  readonly request: TrainingRequest;
  readonly batch: Readonly<Record<string, TensorValue>>;
}

const random = createRandom(0);
const floats = (...shape: number[]): TensorValue => {
  const data = Float32Array.from({ length: elementCount(shape) }, random.uniform);
  return { dtype: 'F32', shape, data };
};
const ids = (below: number, ...shape: number[]): TensorValue => {
  const data = Int32Array.from({ length: elementCount(shape) }, () => random.below(below));
  return { dtype: 'I32', shape, data };
};

const CNN_BATCH = 64;
const SIZE = 28;
const CLASSES = 10;

function convolutional(name: string, filters: number[], kernel: number, hidden: number[]): Network {
  return {
    name: `${name}, ${filters.join(' and ')} filters of ${kernel} × ${kernel}, batch ${CNN_BATCH}`,
    graph: buildCnn({ input: [1, SIZE, SIZE], filters, kernel, hidden, classes: CLASSES }),
    request: {
      inputs: { image: { tensor: 'image', dtype: 'F32' } },
      loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
      target: { dtype: 'I32', shape: [] },
    },
    batch: { image: floats(CNN_BATCH, 1, SIZE, SIZE), label: ids(CLASSES, CNN_BATCH) },
  };
}

const GPT_BATCH = 16;
const GPT = { vocabulary: 256, layers: 2, heads: 4, width: 128, context: 64 } as const;

const transformer: Network = {
  name: `GPT, ${GPT.layers} layers of ${GPT.width}, ${GPT.heads} heads, ${GPT.context} tokens, batch ${GPT_BATCH}`,
  graph: buildGpt(GPT),
  request: {
    inputs: { tokens: { tensor: 'tokens', dtype: 'I32' } },
    loss: { kind: 'softmax-cross-entropy', output: 'logits', target: 'next' },
    target: { dtype: 'I32', shape: [GPT.context] },
  },
  batch: {
    tokens: ids(GPT.vocabulary, GPT_BATCH, GPT.context),
    next: ids(GPT.vocabulary, GPT_BATCH, GPT.context),
  },
};

export const NETWORKS: readonly Network[] = [
  convolutional('like LeNet-5', [6, 16], 5, [120, 84]),
  convolutional('CNN', [16, 32], 3, [64]),
  transformer,
];

export async function trainingOf({ graph, request }: Network): Promise<TrainingGraph> {
  const model = decodeModel(graph);
  return buildTrainingGraph(model, await inferTypes(model), request);
}

/** The loss alone, of the same parameters and data. */
export function forwardOf(training: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const model = decodeModel(training);
  const output = model.graph.output.filter((each) => each.name === TRAINING_NAMES.loss);
  return encodeModel(prune({ ...model, graph: { ...model.graph, output } }));
}

/** What a training graph is fed: a batch, and the first parameters. */
export function feedsOf(
  { parameters, initial }: TrainingGraph,
  batch: Network['batch'],
): Record<string, TensorValue> {
  const values: Record<string, TensorValue> = {};
  for (const [tensor, value] of Object.entries(batch)) values[TRAINING_NAMES.data(tensor)] = value;
  for (const { name, shape, offset, length } of parameters) {
    const data = initial.subarray(offset, offset + length);
    values[TRAINING_NAMES.parameter(name)] = { dtype: 'F32', shape, data };
  }
  return values;
}
