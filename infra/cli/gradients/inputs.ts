/** Inputs of a graph from JSON: `{name: {dtype, shape, data}}`, data flat and row-major. */
import { z } from 'zod';
import { parse } from '../../../core/contracts/parse.ts';
import { Fault } from '../../../core/errors.ts';
import { DTYPES, dtypeOfOrt, type DType } from '../../../core/tensors/dtypes.ts';
import { elementCount, type TensorSpec, type TensorValue } from '../../../core/tensors/tensor.ts';

const Input = z.strictObject({
  /** `float32`, `int64` …: ONNX Runtime's names. */
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data: z.array(z.union([z.number(), z.boolean()])),
});
const Inputs = z.record(z.string(), Input);
/** A whole file of gradients, of which only the inputs are read. */
const File = z.looseObject({ inputs: Inputs });

const invalid = (name: string, message: string) => new Fault('invalid', message, { field: `inputs.${name}` });

/**
 * @param json an object of inputs, or one that has them under `inputs`
 * @param wanted the graph's inputs
 * @throws Fault `invalid` naming the input that is missing, unknown or does not fit
 */
export function parseInputs(json: unknown, wanted: readonly TensorSpec[]): Record<string, TensorValue> {
  const given = isWholeFile(json, wanted) ? parse(File, json).inputs : parse(Inputs, json);
  const stray = Object.keys(given).find((name) => !wanted.some((input) => input.name === name));
  if (stray !== undefined) {
    const names = wanted.map((input) => input.name).join(', ');
    throw invalid(stray, `the model has no input ${stray}: its inputs are ${names}`);
  }
  return Object.fromEntries(
    wanted.map((spec) => {
      const input = given[spec.name];
      if (input === undefined) throw invalid(spec.name, `the input ${spec.name} is missing`);
      return [spec.name, valueOf(input, spec)];
    }),
  );
}

/** A model may have an input called `inputs`, which then is a tensor. */
function isWholeFile(json: unknown, wanted: readonly TensorSpec[]): boolean {
  if (typeof json !== 'object' || json === null || !('inputs' in json)) return false;
  return !wanted.some((input) => input.name === 'inputs') || !Input.safeParse(json.inputs).success;
}

function valueOf({ dtype: given, shape, data }: z.infer<typeof Input>, spec: TensorSpec): TensorValue {
  const { name, dtype } = spec;
  if (dtypeOfOrt(given) !== dtype)
    throw invalid(name, `input ${name} is given as ${given}: the model asks for ${DTYPES[dtype].ort}`);
  const fits =
    shape.length === spec.shape.length &&
    spec.shape.every((dimension, axis) => typeof dimension === 'string' || dimension === shape[axis]);
  if (!fits)
    throw invalid(
      name,
      `input ${name} is [${shape.join(', ')}]: the model asks for [${spec.shape.join(', ')}]`,
    );
  if (data.length !== elementCount(shape))
    throw invalid(
      name,
      `input ${name} has ${data.length} elements: its shape [${shape.join(', ')}] needs ${elementCount(shape)}`,
    );
  return { dtype, shape, data: elements(name, dtype, data.map(Number)) };
}

/** @throws Fault `invalid` for a number that the element type cannot hold; a float32 rounds */
export function elements(name: string, dtype: DType, numbers: readonly number[]): TensorValue['data'] {
  const isFloating = dtype === 'F32' || dtype === 'F64';
  const isWide = dtype === 'I64' || dtype === 'U64';
  const data = isWide
    ? DTYPES[dtype].array.from(numbers.map((number) => (Number.isSafeInteger(number) ? BigInt(number) : 0n)))
    : DTYPES[dtype].array.from(numbers);
  const wrong = numbers.findIndex((number, i) => {
    const held = Number(data[i]);
    if (isFloating) return !Number.isFinite(held);
    return held !== number || (dtype === 'BOOL' && number > 1);
  });
  if (wrong >= 0)
    throw invalid(
      name,
      `element ${wrong} of input ${name} is ${numbers[wrong]}, which no ${DTYPES[dtype].ort} is`,
    );
  return data;
}
