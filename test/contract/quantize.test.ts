/** Quantised graphs in both runtimes: what they answer is what the float32 graph answers, but for the rounding. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as native from 'onnxruntime-node';
import * as web from 'onnxruntime-web/wasm';
import { describe, expect, it } from 'vitest';
import type { Attributes } from '../../core/onnx/attributes.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { decodeModel, encodeModel, type Model } from '../../core/onnx/model.ts';
import { quantize } from '../../core/onnx/quantize.ts';
import { createRandom } from '../../core/random.ts';
import { elementCount } from '../../core/tensors/tensor.ts';

web.env.wasm.numThreads = 1;
const random = createRandom(11);
const normal = (shape: readonly number[]) =>
  Float32Array.from({ length: elementCount(shape) }, () => random.normal());

interface Operand {
  readonly shape: readonly number[];
  /** Fed, not a constant of the graph. */
  readonly fed?: boolean;
  readonly indices?: readonly bigint[];
}
const constant = (...shape: number[]): Operand => ({ shape });
const fed = (...shape: number[]): Operand => ({ shape, fed: true });

interface Case {
  readonly name: string;
  readonly op: string;
  readonly operands: readonly Operand[];
  readonly attributes?: Attributes;
  /** Largest difference over the largest output. */
  readonly within: number;
}

const CASES: readonly Case[] = [
  { name: 'MatMul', op: 'MatMul', operands: [fed(5, 96), constant(96, 20)], within: 0.03 },
  { name: 'MatMul of a batch', op: 'MatMul', operands: [fed(2, 3, 5, 96), constant(96, 20)], within: 0.03 },
  { name: 'MatMul of a vector', op: 'MatMul', operands: [fed(96), constant(96, 20)], within: 0.03 },
  { name: 'Gemm', op: 'Gemm', operands: [fed(5, 96), constant(96, 20), constant(20)], within: 0.03 },
  { name: 'Gemm without C', op: 'Gemm', operands: [fed(5, 96), constant(96, 20)], within: 0.03 },
  {
    name: 'Gemm transB, alpha and beta',
    op: 'Gemm',
    operands: [fed(5, 96), constant(20, 96), constant(1, 20)],
    attributes: { transB: 1, alpha: { float: -0.5 }, beta: { float: 30 } },
    within: 0.03,
  },
  {
    name: 'Gemm, a fed C per row',
    op: 'Gemm',
    operands: [fed(5, 96), constant(96, 20), fed(5, 1)],
    attributes: { beta: { float: 2 } },
    within: 0.03,
  },
  {
    name: 'Gemm, beta 0',
    op: 'Gemm',
    operands: [fed(5, 96), constant(96, 20), constant(20)],
    attributes: { beta: { float: 0 } },
    within: 0.03,
  },
  {
    name: 'Gather',
    op: 'Gather',
    operands: [constant(50, 8), { shape: [2, 3], indices: [0n, 49n, -1n, 7n, -50n, 0n] }],
    within: 0.005,
  },
  {
    name: 'Conv',
    op: 'Conv',
    operands: [fed(2, 6, 9, 9), constant(8, 6, 3, 3), constant(8)],
    attributes: { pads: [1, 0, 2, 1], strides: [2, 1] },
    within: 0.03,
  },
  {
    name: 'Conv, dilated, without a bias',
    op: 'Conv',
    operands: [fed(2, 6, 9, 9), constant(8, 6, 3, 3)],
    attributes: { dilations: [2, 1], pads: [1, 1, 0, 2] },
    within: 0.03,
  },
  {
    name: 'Conv, padded by itself',
    op: 'Conv',
    operands: [fed(2, 6, 9, 9), constant(8, 6, 3, 3), constant(8)],
    attributes: { auto_pad: 'SAME_UPPER', strides: [2, 2] },
    within: 0.03,
  },
  {
    name: 'Conv in one dimension',
    op: 'Conv',
    operands: [fed(2, 6, 30), constant(8, 6, 5), constant(8)],
    within: 0.03,
  },
  {
    name: 'Conv in three dimensions',
    op: 'Conv',
    operands: [fed(2, 3, 5, 5, 5), constant(4, 3, 2, 2, 2), constant(4)],
    within: 0.03,
  },
];

function build({ op, operands, attributes = {} }: Case) {
  const graph = new GraphBuilder(['y']);
  const feeds: Record<string, { shape: readonly number[]; data: Float32Array | BigInt64Array }> = {};
  const names = operands.map(({ shape, fed: isFed = false, indices }, i) => {
    const name = `operand${i}`;
    const data = indices === undefined ? normal(shape) : BigInt64Array.from(indices);
    if (!isFed && indices === undefined) return graph.initializer(name, { dtype: 'F32', shape, data });
    feeds[name] = { shape, data };
    return graph.input({ name, dtype: indices === undefined ? 'F32' : 'I64', shape });
  });
  graph.op(op, names, attributes, 'y');
  graph.output({ name: 'y', dtype: 'F32', shape: [] });
  const model = graph.build(op);
  const output = model.graph.output.map(({ name }) => ({ name, docString: '' }));
  return { model: { ...model, graph: { ...model.graph, output } }, feeds };
}

type Feeds = ReturnType<typeof build>['feeds'];
const RUNTIMES = { native, web: web as unknown as typeof native };

async function run(runtime: keyof typeof RUNTIMES, model: Model, feeds: Feeds): Promise<Float32Array> {
  const { InferenceSession, Tensor } = RUNTIMES[runtime];
  const session = await InferenceSession.create(encodeModel(model), {
    executionProviders: [runtime === 'native' ? 'cpu' : 'wasm'],
    logSeverityLevel: 4,
  });
  const tensors = Object.entries(feeds).map(
    ([name, { shape, data }]) => [name, new Tensor(data, [...shape])] as const,
  );
  const { y } = await session.run(Object.fromEntries(tensors));
  await session.release();
  return y!.data as Float32Array;
}

const distance = (a: Float32Array, b: Float32Array) =>
  a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);

describe.each(['native', 'web'] as const)('quantised, in the %s runtime', (runtime) => {
  it.each(CASES)('$name', async (each) => {
    const { model, feeds } = build(each);
    const { model: quantised, rewritten } = quantize(model, { minElements: 1 });
    expect(rewritten).toBe(1);
    const expected = await run('native', model, feeds);
    const actual = await run(runtime, quantised, feeds);
    expect(actual).toHaveLength(expected.length);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const error = distance(actual, expected) / largest;
    expect(error).toBeLessThan(each.within);
    // It is quantised: to the last bit equal would mean that nothing was.
    expect(error).toBeGreaterThan(0);
  });

  it('does not saturate where every product is the largest there is', async () => {
    const depth = 512;
    const graph = new GraphBuilder(['y']);
    const x = graph.input({ name: 'x', dtype: 'F32', shape: [1, depth] });
    const ones = new Float32Array(depth * 16).fill(1);
    graph.op(
      'MatMul',
      [x, graph.initializer('w', { dtype: 'F32', shape: [depth, 16], data: ones })],
      {},
      'y',
    );
    graph.output({ name: 'y', dtype: 'F32', shape: [1, 16] });
    const { model } = quantize(graph.build('ones'), { minElements: 1 });
    const feeds = { x: { shape: [1, depth], data: new Float32Array(depth).fill(1) } };
    for (const value of await run(runtime, model, feeds)) expect(value).toBeCloseTo(depth, 2);
  });
});

it('the runtime fuses what the rules write', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-quantize-'));
  try {
    for (const name of ['MatMul', 'Gemm', 'Gemm without C']) {
      const { model } = build(CASES.find((each) => each.name === name)!);
      const file = join(folder, 'optimized.onnx');
      const session = await native.InferenceSession.create(
        encodeModel(quantize(model, { minElements: 1 }).model),
        { graphOptimizationLevel: 'extended', optimizedModelFilePath: file, logSeverityLevel: 4 },
      );
      await session.release();
      const { graph } = decodeModel(await readFile(file));
      expect(
        graph.node.map(({ opType }) => opType),
        name,
      ).toEqual(['DynamicQuantizeMatMul']);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
