/** Every gradient rule against central differences of the operator itself, as ONNX Runtime computes it. */
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import { SUPPORTED_OPERATORS } from '../../core/autodiff/rules/table.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel, type Model } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { createRandom } from '../../core/random.ts';
import { DTYPES } from '../../core/tensors/dtypes.ts';
import { elementCount, type TensorSpec, type TensorValue } from '../../core/tensors/tensor.ts';
import type { Case, Operand } from './cases/operands.ts';
import { CASES } from './cases/table.ts';

type Float = 'F32' | 'F64';

/** Step of the central difference, and the largest error allowed relative to the largest gradient. */
const PRECISION = { F64: { step: 1e-5, tolerance: 1e-6 }, F32: { step: 1e-2, tolerance: 5e-3 } } as const;

function valueOf(operand: Exclude<Operand, { kind: 'none' }>, dtype: Float): TensorValue {
  const { kind, shape, values } = operand;
  if (kind === 'I32') return { dtype: 'I32', shape, data: Int32Array.from(values) };
  if (kind === 'I64') return { dtype: 'I64', shape, data: BigInt64Array.from(values, BigInt) };
  if (kind === 'F32') return { dtype: 'F32', shape, data: Float32Array.from(values) };
  if (kind === 'BOOL') return { dtype: 'BOOL', shape, data: Uint8Array.from(values) };
  return { dtype, shape, data: DTYPES[dtype].array.from(values) };
}

const shapeInput = (operand: number) => `shape${operand}`;

/** The operator with its parameters as initializers; its outputs are the graph's. */
function operatorModel(each: Case, dtype: Float): GraphBuilder {
  const { op, operands, attributes = {}, outputs = 1, isSymbolic = false } = each;
  const graph = new GraphBuilder();
  const names = operands.map((operand, i) => {
    if (operand.kind === 'none') return '';
    const isParameter = operand.kind === 'parameter';
    const name = graph.initializer(`${isParameter ? 'p' : 'c'}${i}`, valueOf(operand, dtype));
    if (!isParameter || !isSymbolic) return name;
    graph.input({ name: shapeInput(i), dtype: 'I64', shape: [operand.shape.length] });
    return graph.op('Reshape', [name, shapeInput(i)]);
  });
  // The check differentiates casts between the two floating-point types.
  const fixed = op === 'Cast' ? { to: DTYPES[dtype === 'F64' ? 'F32' : 'F64'].onnx } : attributes;
  const made = graph.multi(op, names, outputs, fixed);
  made.forEach((name, i) => graph.op('Identity', [name], {}, `y${i}`));
  return graph;
}

const undeclared = (model: Model, names: readonly string[]): Model => ({
  ...model,
  graph: { ...model.graph, output: names.map((name) => ({ name, docString: '' })) },
});

/** The operator's outputs, each element times a random weight, summed: a scalar that depends on all of them. */
async function scalarModel(
  each: Case,
  dtype: Float,
): Promise<{ model: Model; types: Map<string, TensorSpec> }> {
  const count = each.isFirstOnly === true ? 1 : (each.outputs ?? 1);
  const outputs = Array.from({ length: count }, (_, i) => `y${i}`);
  const { isSymbolic: _, ...fixed } = each;
  const probe = operatorModel(fixed, dtype);
  for (const name of outputs) probe.output({ name, dtype, shape: [] });
  const shapes = await inferTypes(undeclared(probe.build('probe'), outputs));

  const graph = operatorModel(each, dtype);
  const random = createRandom(7);
  const terms = outputs.map((name) => {
    const { shape } = shapes.get(name)!;
    const dimensions = shape.map(Number);
    const weights = Array.from({ length: elementCount(dimensions) }, () => 0.5 + random.uniform());
    const weight = graph.constant({ dtype, shape: dimensions, data: DTYPES[dtype].array.from(weights) });
    const value = graph.op('Cast', [name], { to: DTYPES[dtype].onnx });
    return graph.op('ReduceSum', [graph.op('Mul', [value, weight])], { keepdims: 0 });
  });
  graph.op('Sum', terms, {}, 'loss');
  graph.output({ name: 'loss', dtype, shape: [] });
  const model = graph.build('case');
  return { model, types: await inferTypes(model) };
}

/** Largest difference between the gradient graph and central differences, relative to the largest gradient. */
async function worstError(each: Case, dtype: Float): Promise<number> {
  const { model, types } = await scalarModel(each, dtype);
  const parameters = model.graph.initializer.map((t) => t.name).filter((name) => name.startsWith('p'));
  const session = await nativeRuntime().load(encodeModel(gradientGraph(model, types, 'loss', parameters)));
  const shapes = each.operands.flatMap((operand, i) =>
    operand.kind === 'parameter' && each.isSymbolic === true
      ? [
          [
            shapeInput(i),
            valueOf({ kind: 'I64', shape: [operand.shape.length], values: operand.shape }, dtype),
          ],
        ]
      : [],
  );
  const values: Record<string, TensorValue> = Object.fromEntries(
    model.graph.initializer
      .filter((t) => parameters.includes(t.name))
      .map((t) => {
        const { dtype, shape, data } = tensorValue(t);
        return [t.name, { dtype, shape, data: data.slice() }];
      }),
  );
  const feeds = { ...Object.fromEntries(shapes), ...values };
  const lossOf = async () => Number((await session.run(feeds, ['loss']))['loss']!.data[0]);
  const gradients = await session.run(feeds, parameters.map(gradientName));
  const { step } = PRECISION[dtype];
  let error = 0;
  let largest = 0;
  for (const name of parameters) {
    const gradient = gradients[gradientName(name)]!;
    const { data, shape } = values[name]!;
    expect(gradient.shape).toEqual(shape);
    for (let i = 0; i < data.length; i++) {
      const before = data[i]!;
      data[i] = Number(before) + step;
      const [up, high] = [await lossOf(), Number(data[i])];
      data[i] = Number(before) - step;
      const [down, low] = [await lossOf(), Number(data[i])];
      data[i] = before;
      const expected = (up - down) / (high - low);
      error = Math.max(error, Math.abs(expected - Number(gradient.data[i])));
      largest = Math.max(largest, Math.abs(expected));
    }
  }
  await session.release();
  expect(largest).toBeGreaterThan(0);
  return error / largest;
}

async function hasKernel(each: Case, dtype: Float): Promise<boolean> {
  return scalarModel(each, dtype).then(
    () => true,
    () => false,
  );
}

describe('gradient rules', () => {
  it('each have a case', () => {
    const tested = new Set(CASES.map((each) => each.op));
    expect(SUPPORTED_OPERATORS.filter((op) => !tested.has(op))).toEqual([]);
  });

  it.each(CASES.map((each) => [`${each.op} ${each.about ?? ''}`, each] as const))('%s', async (_, each) => {
    const isSingle = each.isSingle === true;
    // So that the flag cannot hide a rule that fails in float64.
    if (isSingle) expect(await hasKernel(each, 'F64')).toBe(false);
    // A cast of float64 to float32 rounds away what a small step changes.
    const dtypes: Float[] = isSingle || each.op === 'Cast' ? ['F32'] : ['F64'];
    if (each.isAlsoSingle === true) dtypes.push('F32');
    for (const dtype of dtypes)
      expect(await worstError(each, dtype), dtype).toBeLessThan(PRECISION[dtype].tolerance);
  });
});
