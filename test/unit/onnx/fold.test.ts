import { describe, expect, it } from 'vitest';
import { attribute } from '../../../core/onnx/attributes.ts';
import { GraphBuilder, nodeProto } from '../../../core/onnx/builder.ts';
import { constantsOf, foldIntegers } from '../../../core/onnx/fold.ts';
import type { NodeProto } from '../../../core/onnx/proto.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';
import type { DType } from '../../../core/tensors/dtypes.ts';
import type { TensorSpec } from '../../../core/tensors/tensor.ts';

const ints = (graph: GraphBuilder, ...values: number[]) =>
  graph.constant({ dtype: 'I64', shape: [values.length], data: BigInt64Array.from(values, BigInt) });
const scalar = (graph: GraphBuilder, value: number) =>
  graph.constant({ dtype: 'I64', shape: [], data: BigInt64Array.of(BigInt(value)) });

/** The graph's values are int64 but for x, which is [batch, 10, 48]. */
function modelOf(write: (graph: GraphBuilder) => void, dtypes: Record<string, DType> = {}) {
  const graph = new GraphBuilder(['y']);
  graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 10, 48] });
  write(graph);
  graph.output({ name: 'y', dtype: 'I64', shape: [] });
  const model = graph.build('integers');
  const types = new Map<string, TensorSpec>([['x', { name: 'x', dtype: 'F32', shape: ['batch', 10, 48] }]]);
  for (const name of model.graph.node.flatMap((node) => node.output))
    types.set(name, { name, dtype: dtypes[name] ?? 'I64', shape: [] });
  return { model, types };
}

function valueOf(write: (graph: GraphBuilder) => void, dtypes?: Record<string, DType>) {
  const { model, types } = modelOf(write, dtypes);
  const { node: nodes, initializer: initializers } = model.graph;
  const value = constantsOf({ nodes, initializers, types })('y');
  return value === undefined ? undefined : { shape: value.shape, data: Array.from(value.data, Number) };
}

describe('integers known before a graph runs', () => {
  it('follow the end of the second of three slices, as PyTorch writes it', () => {
    const write = (graph: GraphBuilder) => {
      const width = graph.op('Gather', [graph.op('Shape', ['x']), ints(graph, 2)]);
      const third = graph.op('Div', [graph.op('Add', [width, ints(graph, 2)]), ints(graph, 3)]);
      graph.op('Mul', [third, ints(graph, 2)], {}, 'y');
    };
    expect(valueOf(write)).toEqual({ shape: [1], data: [32] });
  });

  it('follow a shape put together from dimensions', () => {
    const write = (graph: GraphBuilder) => {
      const rows = graph.op('Gather', [graph.op('Shape', ['x']), scalar(graph, -2)]);
      const half = graph.op('Sub', [graph.op('Cast', [rows], { to: 7 }), scalar(graph, 3)]);
      graph.op(
        'Concat',
        [graph.op('Unsqueeze', [half, ints(graph, 0)]), ints(graph, 4, 5)],
        { axis: 0 },
        'y',
      );
    };
    expect(valueOf(write)).toEqual({ shape: [3], data: [7, 4, 5] });
  });

  it('know some dimensions where others are symbolic', () => {
    const gather = (index: number) => (graph: GraphBuilder) => {
      graph.op('Gather', [graph.op('Shape', ['x'], { start: -3, end: 3 }), scalar(graph, index)], {}, 'y');
    };
    expect(valueOf(gather(1))).toEqual({ shape: [], data: [10] });
    expect(valueOf(gather(0))).toBeUndefined();
  });

  it('are not guessed: other operators, other element types, divisions by zero', () => {
    expect(valueOf((graph) => graph.op('Mod', [ints(graph, 5), ints(graph, 2)], {}, 'y'))).toBeUndefined();
    expect(valueOf((graph) => graph.op('Div', [ints(graph, 5), ints(graph, 0)], {}, 'y'))).toBeUndefined();
    const cast = (graph: GraphBuilder) => graph.op('Cast', [ints(graph, 5)], { to: 9 }, 'y');
    expect(valueOf(cast, { y: 'BOOL' })).toBeUndefined();
  });

  it.each([
    ['value_int', { i: 7n, type: 2 }, [], [7]],
    ['value_ints', { ints: [7n, 8n], type: 7 }, [2], [7, 8]],
    ['value_float', { f: 0.5, type: 1 }, [], [0.5]],
    ['value_floats', { floats: [0.5, 2], type: 6 }, [2], [0.5, 2]],
  ] as const)('read a Constant with %s', (name, change, shape, data) => {
    const constant: NodeProto = {
      ...nodeProto('Constant', [], ['y']),
      attribute: [{ ...attribute(name, 0), i: undefined, ...change }],
    };
    expect(valueOf((graph) => graph.append(constant))).toEqual({ shape, data });
  });

  it('take the place of the nodes that compute them, in their element type', () => {
    const write = (graph: GraphBuilder) => {
      graph.op('Cast', [ints(graph, 5)], { to: 6 }, 'narrow');
      graph.op('Cast', ['narrow'], { to: 7 }, 'y');
    };
    const { model, types } = modelOf(write, { narrow: 'I32' });
    const { graph } = foldIntegers(model, types);
    expect(graph.node).toEqual([]);
    const values = Object.fromEntries(
      graph.initializer.map((tensor) => [tensor.name, tensorValue(tensor).data]),
    );
    expect(values).toMatchObject({ narrow: Int32Array.of(5), y: BigInt64Array.of(5n) });
    const plain = modelOf((each) => each.op('Mod', [ints(each, 5), ints(each, 2)], {}, 'y'));
    expect(foldIntegers(plain.model, plain.types)).toBe(plain.model);
  });
});
