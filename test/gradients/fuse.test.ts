/** What exporters spell out is differentiated as the one operator it is, with the same result. */
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { createRandom } from '../../core/random.ts';
import type { DType } from '../../core/tensors/dtypes.ts';

const PARAMETERS = { w: [2, 3, 12], scale: [12], bias: [12] } as const;

type Write = (graph: GraphBuilder, k: (value: number) => string) => string;

/** Loss and gradients of Σ sin(y), and the operators of the graph that computes them. */
async function run(write: Write, dtype: Extract<DType, 'F32' | 'F64'> = 'F32') {
  const graph = new GraphBuilder();
  const random = createRandom(2);
  const array = dtype === 'F32' ? Float32Array : Float64Array;
  for (const [name, shape] of Object.entries(PARAMETERS)) {
    const length = shape.reduce<number>((product, size) => product * size, 1);
    const data = new array(length).map(() => 2 * random.uniform() - 1);
    graph.initializer(name, { dtype, shape, data });
  }
  const y = write(graph, (value) => graph.constant({ dtype, shape: [], data: array.of(value) }));
  // Parameters a pattern does not use have a part in the loss beside it.
  const all = graph.op('Add', [y, graph.op('Mul', ['w', graph.op('Add', ['scale', 'bias'])])]);
  graph.op('ReduceSum', [graph.op('Sin', [all])], { keepdims: 0 }, 'loss');
  graph.output({ name: 'loss', dtype, shape: [] });
  const model = graph.build('pattern');
  const names = Object.keys(PARAMETERS);
  const gradients = gradientGraph(model, await inferTypes(model), 'loss', names);
  const session = await nativeRuntime().load(encodeModel(gradients));
  const feeds = Object.fromEntries(
    model.graph.initializer
      .filter((tensor) => names.includes(tensor.name))
      .map((tensor) => [tensor.name, tensorValue(tensor)]),
  );
  const results = await session.run(feeds, ['loss', ...names.map(gradientName)]);
  await session.release();
  return {
    operators: gradients.graph.node.map((node) => node.opType),
    values: Object.values(results).flatMap(({ data }) => Array.from(data, Number)),
  };
}

const erf = (graph: GraphBuilder, x: string, k: (value: number) => string, isDivided = true) =>
  graph.op('Erf', [isDivided ? graph.op('Div', [x, k(Math.SQRT2)]) : graph.op('Mul', [k(Math.SQRT1_2), x])]);

const GELUS: Record<string, Write> = {
  '(x·(erf + 1))·½': (g, k) => g.op('Mul', [g.op('Mul', ['w', g.op('Add', [erf(g, 'w', k), k(1)])]), k(0.5)]),
  '(½·x)·(1 + erf)': (g, k) =>
    g.op('Mul', [g.op('Mul', [k(0.5), 'w']), g.op('Add', [k(1), erf(g, 'w', k, false)])]),
  'x·(½·(1 + erf))': (g, k) => g.op('Mul', ['w', g.op('Mul', [k(0.5), g.op('Add', [k(1), erf(g, 'w', k)])])]),
};

function layerNorm(g: GraphBuilder, k: (value: number) => string, isPower: boolean): string {
  const last = g.constant({ dtype: 'I64', shape: [1], data: BigInt64Array.of(-1n) });
  const centred = g.op('Sub', ['w', g.op('ReduceMean', ['w', last])]);
  const square = isPower ? g.op('Pow', [centred, k(2)]) : g.op('Mul', [centred, centred]);
  const deviation = g.op('Sqrt', [g.op('Add', [g.op('ReduceMean', [square, last]), k(1e-3)])]);
  return g.op('Add', [g.op('Mul', ['scale', g.op('Div', [centred, deviation])]), 'bias']);
}

function slices(g: GraphBuilder, bounds: readonly (readonly [number, number])[]): string {
  const ints = (value: number) =>
    g.constant({ dtype: 'I64', shape: [1], data: BigInt64Array.of(BigInt(value)) });
  const parts = bounds.map(([start, end]) => g.op('Slice', ['w', ints(start), ints(end), ints(-1)]));
  return g.op('Concat', [g.op('Sin', [parts[1]!]), parts[0]!, parts[2]!], { axis: 2 });
}

const close = (actual: readonly number[], expected: readonly number[]) => {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => expect(value, String(i)).toBeCloseTo(expected[i]!, 4));
};

describe('patterns', () => {
  it.each(Object.entries(GELUS))('Gelu as %s', async (_, write) => {
    const { operators, values } = await run(write);
    expect(operators).toContain('Gelu');
    expect(operators.filter((op) => op === 'Erf')).toHaveLength(1);
    close(values, (await run((g) => g.op('Gelu', ['w']))).values);
  });

  it.each([
    [
      'another scale',
      (g: GraphBuilder, k: (v: number) => string) =>
        g.op('Mul', [
          g.op('Mul', ['w', g.op('Add', [g.op('Erf', [g.op('Div', ['w', k(1.5)])]), k(1)])]),
          k(0.5),
        ]),
    ],
    [
      'another factor',
      (g: GraphBuilder, k: (v: number) => string) =>
        g.op('Mul', [g.op('Mul', ['w', g.op('Add', [erf(g, 'w', k), k(1)])]), k(0.25)]),
    ],
    [
      'another argument',
      (g: GraphBuilder, k: (v: number) => string) =>
        g.op('Mul', [g.op('Mul', ['w', g.op('Add', [erf(g, 'scale', k), k(1)])]), k(0.5)]),
    ],
  ] as const)('is no Gelu: %s', async (_, write) => {
    expect((await run(write)).operators).not.toContain('Gelu');
  });

  it.each([true, false])('layer normalization, a power %s', async (isPower) => {
    const { operators, values } = await run((g, k) => layerNorm(g, k, isPower));
    expect(operators).toContain('LayerNormalization');
    expect(operators).not.toContain('Sqrt');
    close(values, (await run((g, k) => layerNorm(g, k, isPower), 'F64')).values);
  });

  it('slices that share out an axis are a Split', async () => {
    const bounds = [
      [0, 4],
      [4, 8],
      [8, 99],
    ] as const;
    const { operators, values } = await run((g) => slices(g, bounds));
    expect(operators).toContain('Split');
    expect(operators).not.toContain('Pad');
    const split = await run((g) => {
      const [a, b, c] = g.multi('Split', ['w'], 3, { axis: 2, num_outputs: 3 }) as [string, string, string];
      return g.op('Concat', [g.op('Sin', [b]), a, c], { axis: 2 });
    });
    expect(values).toEqual(split.values);
  });

  it('slices that overlap or leave something out are none', async () => {
    for (const second of [
      [3, 7],
      [5, 9],
    ] as const) {
      const { operators } = await run((g) => slices(g, [[0, 4], second, [8, 12]]));
      expect(operators).not.toContain('Split');
    }
  });
});
