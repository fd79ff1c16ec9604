/** A scalar to differentiate, where the graph has none: an output weighted at random and summed. */
import { Fault } from '../../../core/errors.ts';
import { nodeProto, valueInfo } from '../../../core/onnx/builder.ts';
import type { Model } from '../../../core/onnx/model.ts';
import { tensorProto } from '../../../core/onnx/tensor.ts';
import { createRandom } from '../../../core/random.ts';
import { elementCount, type TensorSpec } from '../../../core/tensors/tensor.ts';

const NAMES = { weights: 'gradcheck.weights', product: 'gradcheck.product', sum: 'gradcheck.sum' } as const;

export interface ScalarOutput {
  readonly model: Model;
  readonly loss: string;
  /** The output of the model that it stands for. */
  readonly output: string;
  readonly isWeighted: boolean;
}

const isFloating = (spec: TensorSpec | undefined): spec is TensorSpec =>
  spec?.dtype === 'F32' || spec?.dtype === 'F64';

/**
 * @param model of the operator set that is written
 * @param types of every value, shapes without symbols
 * @param wanted an output; default: the first scalar, else the first of floating point
 * @throws Fault `invalid` where there is no such output, `unprocessable` where its shape is not known
 */
export function scalarOutput(
  model: Model,
  types: ReadonlyMap<string, TensorSpec>,
  wanted: string | undefined,
  seed: number,
): ScalarOutput {
  const outputs = model.graph.output.map((each) => types.get(each.name)).filter(isFloating);
  const names = outputs.map((each) => each.name).join(', ');
  const chosen =
    wanted === undefined
      ? (outputs.find((each) => each.shape.length === 0) ?? outputs[0])
      : outputs.find((each) => each.name === wanted);
  if (chosen === undefined)
    throw new Fault('invalid', `the model has no floating-point output ${wanted ?? ''}: it has ${names}`, {
      field: 'loss',
    });
  const { name: output, dtype, shape } = chosen;
  if (shape.length === 0) return { model, loss: output, output, isWeighted: false };
  const dimensions = shape.map((dimension) => {
    if (typeof dimension === 'string')
      throw new Fault(
        'unprocessable',
        `output ${output} is [${shape.join(', ')}], of a size that only running tells`,
        {
          field: 'loss',
        },
      );
    return dimension;
  });
  const random = createRandom(seed, 0);
  const weights = Array.from({ length: elementCount(dimensions) }, () => 0.5 + random.uniform());
  const data = dtype === 'F64' ? Float64Array.from(weights) : Float32Array.from(weights);
  const { graph } = model;
  return {
    loss: NAMES.sum,
    output,
    isWeighted: true,
    model: {
      ...model,
      graph: {
        ...graph,
        initializer: [...graph.initializer, tensorProto(NAMES.weights, { dtype, shape: dimensions, data })],
        node: [
          ...graph.node,
          nodeProto('Mul', [output, NAMES.weights], [NAMES.product]),
          nodeProto('ReduceSum', [NAMES.product], [NAMES.sum], { keepdims: 0 }),
        ],
        output: [...graph.output, valueInfo({ name: NAMES.sum, dtype, shape: [] })],
      },
    },
  };
}
