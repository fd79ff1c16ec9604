/** The native runtime behind core's interface, and its type inference. */
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { DTYPE_NAMES, DTYPES } from '../../core/tensors/dtypes.ts';

const MLP = buildMlp({ inputs: 3, hidden: [4], classes: 2 });
const image = (rows: number, width = 3) =>
  ({ dtype: 'F32', shape: [rows, width], data: new Float32Array(rows * width) }) as const;

describe('native runtime', () => {
  it('says what it is', () => {
    expect(nativeRuntime().name).toMatch(/^onnxruntime-node \d+\.\d+/);
  });

  it.each(DTYPE_NAMES)('carries %s in and out', async (dtype) => {
    const graph = new GraphBuilder();
    graph.input({ name: 'x', dtype, shape: ['n'] });
    graph.op('Identity', ['x'], {}, 'y');
    graph.output({ name: 'y', dtype, shape: ['n'] });
    const session = await nativeRuntime().load(encodeModel(graph.build('identity')));
    const data = new DTYPES[dtype].array(3);
    data[1] = dtype === 'I64' || dtype === 'U64' ? 1n : 1;
    const value = { dtype, shape: [3], data };
    expect(await session.run({ x: value }, ['y'])).toEqual({ y: value });
    await session.release();
  });

  it('refuses with Faults: no model, wrong shape, wrong type, missing input, unknown output', async () => {
    const runtime = nativeRuntime();
    await expect(runtime.load(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'unprocessable' });
    const session = await runtime.load(MLP);
    const out = ['probabilities'];
    const refused = { code: 'invalid', field: 'inputs' };
    await expect(session.run({ input: image(1, 2) }, out)).rejects.toMatchObject(refused);
    await expect(
      session.run({ input: { dtype: 'I32', shape: [1, 3], data: new Int32Array(3) } }, out),
    ).rejects.toMatchObject(refused);
    await expect(
      session.run({ input: { dtype: 'F32', shape: [2, 3], data: new Float32Array(3) } }, out),
    ).rejects.toMatchObject(refused);
    await expect(session.run({}, out)).rejects.toMatchObject(refused);
    await expect(session.run({ input: image(1) }, ['logits'])).rejects.toThrow(/outputs are probabilities/);
    await session.release();
  });
});

describe('type inference', () => {
  it('knows every value, with symbolic dimensions by their names', async () => {
    const types = await inferTypes(decodeModel(MLP));
    expect(Object.fromEntries([...types].map(([name, { shape }]) => [name, shape]))).toEqual({
      input: ['batch', 3],
      'layer1.weight': [3, 4],
      'layer1.bias': [4],
      Gemm_0: ['batch', 4],
      Relu_0: ['batch', 4],
      'layer2.weight': [4, 2],
      'layer2.bias': [2],
      Gemm_1: ['batch', 2],
      probabilities: ['batch', 2],
    });
  });

  it('refuses a graph whose shapes do not fit together, with the reason', async () => {
    const graph = new GraphBuilder();
    graph.input({ name: 'x', dtype: 'F32', shape: ['n', 3] });
    const w = graph.constant({ dtype: 'F32', shape: [4, 2], data: new Float32Array(8) });
    graph.op('MatMul', ['x', w], {}, 'y');
    graph.output({ name: 'y', dtype: 'F32', shape: ['n', 2] });
    await expect(inferTypes(graph.build('misfit'))).rejects.toMatchObject({ code: 'unprocessable' });
  });

  it.each([
    ['two element types in one operator', 'Add', 'I64', /Type Error.*(int64|float)/s],
    ['an element type the operator does not take', 'Relu', 'BOOL', /Type Error.*bool/s],
  ] as const)('refuses %s, with the reason', async (_, op, dtype, message) => {
    const graph = new GraphBuilder();
    graph.input({ name: 'x', dtype: 'F32', shape: ['n'] });
    graph.input({ name: 'z', dtype, shape: ['n'] });
    graph.op(op, op === 'Add' ? ['x', 'z'] : ['z'], {}, 'y');
    graph.output({ name: 'y', dtype: 'F32', shape: ['n'] });
    const refusal = inferTypes(graph.build('mistyped'));
    await expect(refusal).rejects.toMatchObject({ code: 'unprocessable', field: 'model' });
    await expect(refusal).rejects.toThrow(message);
  });
});
