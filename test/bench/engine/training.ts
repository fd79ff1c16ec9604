/** The perceptron as Causeway trains it: training graph, layout of the flat vector, first weights. */
import { inferTypes } from '../../../cloud/adapters/onnxruntime-types.ts';
import { buildTrainingGraph, type TrainingGraph } from '../../../core/autodiff/training-graph.ts';
import { OptimizerSpec } from '../../../core/contracts/optimizer.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import type { TensorValue } from '../../../core/tensors/tensor.ts';
import { ADAM, MLP, type Batch, type Weights } from './trainer.ts';

/** Initializers of `buildMlp`, by our names for them. */
export const INITIALIZERS = {
  weight1: 'layer1.weight',
  bias1: 'layer1.bias',
  weight2: 'layer2.weight',
  bias2: 'layer2.bias',
} as const satisfies Record<keyof Weights, string>;

export const OPTIMIZER = OptimizerSpec.parse({ kind: 'adam', ...ADAM });

export async function perceptron(): Promise<TrainingGraph> {
  const { pixels, hidden, classes } = MLP;
  const model = decodeModel(
    buildMlp({ inputs: pixels, hidden: [hidden], classes, seed: 1, inputName: 'image' }),
  );
  return buildTrainingGraph(model, await inferTypes(model), {
    inputs: { image: { tensor: 'image', dtype: 'F32' } },
    loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
    target: { dtype: 'I32', shape: [] },
  });
}

export function firstWeights({ parameters, initial }: TrainingGraph): Weights {
  const of = (name: string) => {
    const { offset, length } = parameters.find((slot) => slot.name === name)!;
    return initial.slice(offset, offset + length);
  };
  const { weight1, bias1, weight2, bias2 } = INITIALIZERS;
  return { weight1: of(weight1), bias1: of(bias1), weight2: of(weight2), bias2: of(bias2) };
}

export const rowsOf = ({ rows, images, labels }: Batch): Readonly<Record<string, TensorValue>> => ({
  image: { dtype: 'F32', shape: [rows, MLP.pixels], data: images },
  label: { dtype: 'I32', shape: [rows], data: labels },
});

/** Writes the weights into the flat vector. */
export function fill(flat: Float32Array, parameters: TrainingGraph['parameters'], weights: Weights): void {
  for (const [key, name] of Object.entries(INITIALIZERS))
    flat.set(weights[key as keyof Weights], parameters.find((slot) => slot.name === name)!.offset);
}
