import { describe, expect, it } from 'vitest';
import { intAttribute } from '../../../core/onnx/attributes.ts';
import { GraphBuilder } from '../../../core/onnx/builder.ts';
import type { Model } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';
import { toFloat64, type KernelOf } from '../../../core/onnx/to-float64.ts';
import { DTYPES, type DType } from '../../../core/tensors/dtypes.ts';
import type { TensorSpec } from '../../../core/tensors/tensor.ts';

/** Everything computes in the type it reads, but Elu only float32 and a Cast what it says. */
const kernelOf: KernelOf = (node, inputs) => {
  const [first] = inputs;
  if (node.opType === 'Elu' && first?.dtype === 'F64') return Promise.resolve(undefined);
  const toFloat = node.opType === 'Cast' && intAttribute(node, 'to') === DTYPES.F32.onnx;
  const dtype: DType = node.opType === 'Constant' || toFloat ? 'F32' : (first?.dtype ?? 'F32');
  const widened = node.opType === 'Cast' && !toFloat ? 'F64' : dtype;
  return Promise.resolve(new Map(node.output.map((name) => [name, widened])));
};

function convert(build: (graph: GraphBuilder) => void) {
  const graph = new GraphBuilder();
  graph.input({ name: 'x', dtype: 'F32', shape: [2] });
  graph.input({ name: 'ids', dtype: 'I64', shape: [2] });
  build(graph);
  graph.output({ name: 'y', dtype: 'F32', shape: [2] });
  const model = graph.build('test');
  const float = (name: string): [string, TensorSpec] => [name, { name, dtype: 'F32', shape: [2] }];
  const types = new Map([
    ...model.graph.initializer.map((tensor) => float(tensor.name)),
    ...model.graph.node.flatMap((node) => node.output.map(float)),
    float('x'),
  ]);
  types.set('ids', { name: 'ids', dtype: 'I64', shape: [2] });
  return toFloat64(model, types, kernelOf);
}

const operators = ({ graph }: Model) =>
  graph.node.map((node) => (node.opType === 'Cast' ? `Cast ${intAttribute(node, 'to')}` : node.opType));

const w = { dtype: 'F32', shape: [2], data: Float32Array.of(0.1, 2) } as const;

describe('toFloat64', () => {
  it('widens inputs, outputs and initializers, and leaves integers', async () => {
    const { model, single } = await convert((graph) =>
      graph.op('Mul', ['x', graph.initializer('w', w)], {}, 'y'),
    );
    const { inputs, outputs } = signatureOf(model);
    expect([...inputs, ...outputs].map(({ dtype }) => dtype)).toEqual(['F64', 'I64', 'F64']);
    expect(tensorValue(model.graph.initializer[0]!)).toEqual({
      dtype: 'F64',
      shape: [2],
      data: Float64Array.from(w.data),
    });
    expect(operators(model)).toEqual(['Mul']);
    expect(single).toEqual([]);
  });

  it('puts an operator without a float64 kernel between casts', async () => {
    const { model, single } = await convert((graph) => {
      const scaled = graph.op('Mul', ['x', graph.initializer('w', w)]);
      graph.op('Neg', [graph.op('Elu', [scaled])], {}, 'y');
    });
    expect(operators(model)).toEqual(['Mul', 'Cast 1', 'Elu', 'Cast 11', 'Neg']);
    expect(single).toEqual(['Elu']);
  });

  it('casts to float32 become casts to float64, and what comes out as float32 all the same is widened', async () => {
    const { model, single } = await convert((graph) => {
      const floats = graph.op('Cast', ['ids'], { to: DTYPES.F32.onnx });
      graph.op('Add', [floats, graph.op('Constant', [])], {}, 'y');
    });
    expect(operators(model)).toEqual(['Cast 11', 'Constant', 'Cast 11', 'Add']);
    expect(single).toEqual([]);
  });
});
