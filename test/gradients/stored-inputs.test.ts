/** A model that reads rows as they are stored computes the very bits of one that is given them divided. */
import { expect, test } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { modelInput } from '../../core/datasets/model-input.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { withStoredInputs } from '../../core/onnx/stored-inputs.ts';
import { DTYPES, type DType } from '../../core/tensors/dtypes.ts';

const ROWS = 64;
const GRAPH = buildMlp({ inputs: 1024, hidden: [8], classes: 3, seed: 2, inputName: 'x', outputName: 'p' });

/** Every value of 16 bits, if the type has so many. */
const everyValue = (dtype: DType) => {
  const data = new DTYPES[dtype].array(ROWS * 1024);
  for (let i = 0; i < data.length; i++) data[i] = i as never;
  return data;
};

test.each<[DType, number | undefined]>([
  ['U8', 255],
  ['U8', undefined],
  ['I8', 3],
  ['U16', 65_535],
  ['I16', 7],
])('%s divided by %s', async (dtype, divisor) => {
  const data = everyValue(dtype);
  const { model, inputs } = withStoredInputs(decodeModel(GRAPH), { x: { dtype, divisor } });
  expect(inputs).toEqual(new Set(['x']));
  const [plain, stored] = await Promise.all(
    [GRAPH, encodeModel(model)].map((bytes) => nativeRuntime().load(bytes)),
  );
  const value = { dtype, shape: [ROWS, 1024], data, divisor };
  const wanted = await plain!.run({ x: modelInput(value, 'F32') }, ['p']);
  const got = await stored!.run({ x: value }, ['p']);
  expect(got['p']).toEqual(wanted['p']);
});

test.each<[string, { dtype: DType; divisor?: number }]>([
  ['a divisor that float32 rounds', { dtype: 'U8', divisor: 0.1 }],
  ['values that float32 rounds', { dtype: 'I32' }],
  ['nothing to change', { dtype: 'F32' }],
])('leaves %s to the caller', (_, as) => {
  const model = decodeModel(GRAPH);
  const rewritten = withStoredInputs(model, { x: as });
  expect(rewritten.inputs.size).toBe(0);
  expect(encodeModel(rewritten.model)).toEqual(encodeModel(model));
});
