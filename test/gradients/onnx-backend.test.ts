/**
 * ONNX's own tests of its `Gradient` operator (ai.onnx.preview.training): the graph in front of that node is
 * differentiated by ours, and gives what the node should have.
 */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import { OPSET, checkModel } from '../../core/onnx/check.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import { MODEL, TENSOR } from '../../core/onnx/proto.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { readMessage } from '../../core/onnx/wire.ts';

const FOLDER = new URL('../fixtures/onnx-backend/', import.meta.url);
const read = async (file: string) => new Uint8Array(await readFile(new URL(file, FOLDER)));
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const tensor = async (file: string) => readMessage(TENSOR, await read(file));

it.each(['test_gradient_of_add', 'test_gradient_of_add_and_mul'])('%s', async (name) => {
  const { graph, ...proto } = readMessage(MODEL, await read(`${name}/model.onnx`));
  const gradientNode = graph!.node.find((node) => node.opType === 'Gradient')!;
  const strings = (attribute: string) =>
    gradientNode.attribute.find((each) => each.name === attribute)!.strings.map(decode);
  const output = decode(gradientNode.attribute.find((each) => each.name === 'y')!.s!);
  const sources = strings('xs');
  expect(sources).toEqual(graph!.input.map((input) => input.name));

  const inputs = await Promise.all(sources.map((_, i) => tensor(`${name}/test_data_set_0/input_${i}.pb`)));
  // The inputs become initializers, which are what we differentiate with respect to. Add and Mul of operator set 12
  // are those of 13, the first we read.
  const model = checkModel({
    ...proto,
    opsetImport: [{ domain: '', version: OPSET.min }],
    graph: {
      ...graph!,
      node: graph!.node.filter((node) => node !== gradientNode),
      input: [],
      initializer: inputs.map((each, i) => ({ ...each, name: sources[i]! })),
      output: graph!.output.filter((each) => each.name === output),
    },
  });
  const gradients = gradientGraph(model, await inferTypes(model), output, sources);
  const session = await nativeRuntime().load(encodeModel(gradients));
  const feeds = Object.fromEntries(inputs.map((each, i) => [sources[i]!, tensorValue(each)]));
  const names = [output, ...sources.map(gradientName)];
  const results = await session.run(feeds, names);
  await session.release();
  for (const [i, each] of names.entries()) {
    const expected = tensorValue(await tensor(`${name}/test_data_set_0/output_${i}.pb`));
    expect(results[each]!.shape).toEqual(expected.shape);
    expect([...results[each]!.data]).toEqual([...expected.data]);
  }
});
