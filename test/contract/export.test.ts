/** What is released is the graph that was given: same nodes, names and answers, with other values in its weights. */
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { OPSET } from '../../core/onnx/check.ts';
import { withInitializers } from '../../core/onnx/initializers.ts';
import { decodeModel, encodeModel, type Model } from '../../core/onnx/model.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const read = (name: string): Bytes =>
  new Uint8Array(readFileSync(new URL(`../fixtures/gradients/${name}`, import.meta.url)));

function feedsOf(name: string): Record<string, Tensor> {
  interface Fed {
    readonly dtype: 'float32' | 'int64';
    readonly shape: number[];
    readonly data: number[];
  }
  const { inputs } = JSON.parse(new TextDecoder().decode(read(name))) as { inputs: Record<string, Fed> };
  const tensors = Object.entries(inputs).map(([input, { dtype, shape, data }]) => {
    const values = dtype === 'int64' ? BigInt64Array.from(data, BigInt) : Float32Array.from(data);
    return [input, new Tensor(dtype, values, shape)] as const;
  });
  return Object.fromEntries(tensors);
}

async function answers(file: Bytes, feeds: Record<string, Tensor>) {
  const session = await InferenceSession.create(file, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  try {
    const outputs = await session.run(feeds);
    return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data]));
  } finally {
    await session.release();
  }
}

const floats = (model: Model) =>
  model.graph.initializer
    .map((tensor) => [tensor.name, tensorValue(tensor)] as const)
    .filter(([, { dtype }]) => dtype === 'F32');

const scaled = (model: Model, factor: number) =>
  new Map(
    floats(model).map(([name, { data }]) => [
      name,
      Float32Array.from(data as Float32Array, (x) => x * factor),
    ]),
  );

const FIXTURES = ['mlp_mnist', 'regressor_huber', 'cnn_lenet', 'gpt_tiny'];

describe('exported', () => {
  it.each(FIXTURES)('%s answers as the file it came from, to the last bit', async (name) => {
    const file = read(`${name}.onnx`);
    const feeds = feedsOf(`${name}.json`);
    const model = decodeModel(file);
    const exported = encodeModel(withInitializers(model, scaled(model, 1)));
    expect(await answers(exported, feeds)).toEqual(await answers(file, feeds));
  });

  it.each(FIXTURES)('%s keeps everything but the values, and takes those it is given', async (name) => {
    const file = read(`${name}.onnx`);
    const model = decodeModel(file);
    const values = scaled(model, 0.5);
    const exported = encodeModel(withInitializers(model, values));
    const again = decodeModel(exported);
    expect(signatureOf(again)).toEqual(signatureOf(model));
    expect(again).toEqual({ ...model, graph: { ...model.graph, initializer: again.graph.initializer } });
    expect(again.graph.initializer.map(({ name: tensor, dims }) => [tensor, dims])).toEqual(
      model.graph.initializer.map(({ name: tensor, dims }) => [tensor, dims]),
    );
    for (const [tensor, { data }] of floats(again)) expect(data, tensor).toEqual(values.get(tensor));
    const feeds = feedsOf(`${name}.json`);
    expect(await answers(exported, feeds)).not.toEqual(await answers(file, feeds));
  });

  const opsets = Array.from({ length: OPSET.max - OPSET.min + 1 }, (_, i) => OPSET.min + i);
  it.each(opsets)('an MLP of operator set %i keeps it, and answers as before', async (version) => {
    const built = decodeModel(buildMlp({ inputs: 12, hidden: [8], classes: 3, seed: version }));
    const file = encodeModel({ ...built, opsetImport: [{ domain: '', version }] });
    const model = decodeModel(file);
    const exported = encodeModel(withInitializers(model, scaled(model, 1)));
    expect(decodeModel(exported).opsetImport).toEqual(model.opsetImport);
    const input = new Tensor(
      'float32',
      Float32Array.from({ length: 48 }, (_, i) => Math.sin(i)),
      [4, 12],
    );
    expect(await answers(exported, { input })).toEqual(await answers(file, { input }));
  });
});
