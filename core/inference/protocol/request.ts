/**
 * Infer requests of the Open Inference Protocol v2 (REST), checked against a model's signature.
 * github.com/kserve/open-inference-protocol, "Inference Request JSON Object".
 */
import { Fault } from '../../errors.ts';
import { DTYPES, type DType, type NumericArray } from '../../tensors/dtypes.ts';
import { elementCount, type TensorSpec, type TensorValue } from '../../tensors/tensor.ts';
import { readElements, shown } from './elements.ts';

export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export interface InferRequest {
  readonly id?: string;
  readonly inputs: Readonly<Record<string, TensorValue>>;
  /** Names to compute, in the order asked; all of the signature's where the request names none. */
  readonly outputs: readonly string[];
}

type JsonObject = Readonly<Record<string, unknown>>;

const REQUEST_KEYS = ['id', 'parameters', 'inputs', 'outputs'];
const INPUT_KEYS = ['name', 'shape', 'datatype', 'parameters', 'data'];
const OUTPUT_KEYS = ['name', 'parameters'];

/** The binary tensor extension's parameters: a client that uses it must hear that this is not spoken here. */
const BINARY_PARAMETERS = ['binary_data', 'binary_data_output', 'binary_data_size'];

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

function wrong(field: string, message: string): Fault {
  return new Fault('invalid', field === '' ? message : `${field}: ${message}`, { field });
}

/**
 * @param body UTF-8 JSON
 * @throws Fault `invalid` naming the first wrong field
 */
export function parseInferRequest(body: Uint8Array, { inputs, outputs }: Signature): InferRequest {
  const request = objectWith(REQUEST_KEYS, parseJson(body), '');
  checkParameters(request['parameters'], 'parameters');
  const names = outputNames(request['outputs'], outputs);
  const values = inputValues(request['inputs'], inputs, body.length);
  const id = request['id'];
  if (id === undefined) return { inputs: values, outputs: names };
  if (typeof id !== 'string') throw wrong('id', `must be a string, not ${shown(id)}`);
  return { id, inputs: values, outputs: names };
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body));
  } catch (cause) {
    const detail = cause instanceof SyntaxError ? `: ${cause.message}` : '';
    throw new Fault('invalid', `body: must be JSON in UTF-8${detail}`, { field: 'body', cause });
  }
}

function objectWith(keys: readonly string[], value: unknown, field: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(field === '' ? 'body' : field, `must be a JSON object, not ${shown(value)}`);
  for (const key in value)
    if (!keys.includes(key)) {
      const path = field === '' ? key : `${field}.${key}`;
      throw wrong(path, `unknown field; allowed are ${keys.join(', ')}`);
    }
  return value as JsonObject;
}

function checkParameters(value: unknown, field: string): void {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(field, `must be a JSON object, not ${shown(value)}`);
  for (const [key, parameter] of Object.entries(value)) {
    if (BINARY_PARAMETERS.includes(key) && parameter !== false)
      throw wrong(`${field}.${key}`, 'the binary tensor extension is not supported: send data as JSON');
    if (!['string', 'number', 'boolean'].includes(typeof parameter))
      throw wrong(`${field}.${key}`, `must be a string, number or boolean, not ${shown(parameter)}`);
  }
}

function outputNames(value: unknown, specs: readonly TensorSpec[]): readonly string[] {
  if (value === undefined) return specs.map((spec) => spec.name);
  if (!Array.isArray(value)) throw wrong('outputs', `must be an array, not ${shown(value)}`);
  if (value.length === 0) return specs.map((spec) => spec.name);
  const names: string[] = [];
  for (let i = 0; i < value.length; i++) {
    const field = `outputs[${i}]`;
    const output = objectWith(OUTPUT_KEYS, value[i], field);
    checkParameters(output['parameters'], `${field}.parameters`);
    const { name } = specOf(output['name'], specs, `${field}.name`, 'output');
    if (names.includes(name)) throw wrong(`${field}.name`, `${name} is asked for twice`);
    names.push(name);
  }
  return names;
}

function specOf(
  name: unknown,
  specs: readonly TensorSpec[],
  field: string,
  kind: 'input' | 'output',
): TensorSpec {
  if (typeof name !== 'string') throw wrong(field, `must be a string, not ${shown(name)}`);
  for (const spec of specs) if (spec.name === name) return spec;
  const known = specs.map((spec) => spec.name).join(', ');
  throw wrong(field, `the model has no ${kind} ${shown(name)}; it has ${known}`);
}

/** @param bodyBytes every element takes at least one: no request can ask for more memory than it sent */
function inputValues(
  value: unknown,
  specs: readonly TensorSpec[],
  bodyBytes: number,
): Readonly<Record<string, TensorValue>> {
  if (!Array.isArray(value)) throw wrong('inputs', `must be an array, not ${shown(value)}`);
  const values: Record<string, TensorValue> = {};
  const sizes = new Map<string, number>();
  for (let i = 0; i < value.length; i++) {
    const field = `inputs[${i}]`;
    const input = objectWith(INPUT_KEYS, value[i], field);
    checkParameters(input['parameters'], `${field}.parameters`);
    const spec = specOf(input['name'], specs, `${field}.name`, 'input');
    if (Object.hasOwn(values, spec.name)) throw wrong(`${field}.name`, `${spec.name} is given twice`);
    const { oip } = DTYPES[spec.dtype];
    if (input['datatype'] !== oip)
      throw wrong(`${field}.datatype`, `${spec.name} must be ${oip}, not ${shown(input['datatype'])}`);
    const shape = checkedShape(input['shape'], spec, sizes, `${field}.shape`);
    const data = readData(input['data'], spec.dtype, shape, bodyBytes, `${field}.data`);
    values[spec.name] = { dtype: spec.dtype, shape, data };
  }
  for (const { name } of specs)
    if (!Object.hasOwn(values, name)) throw wrong('inputs', `the input ${name} is missing`);
  return values;
}

/** @param sizes of the symbolic dimensions seen so far: one name has one size throughout a request */
function checkedShape(
  value: unknown,
  { name, shape }: TensorSpec,
  sizes: Map<string, number>,
  field: string,
): readonly number[] {
  const declared = `[${shape.join(', ')}]`;
  if (!Array.isArray(value)) throw wrong(field, `must be an array of integers, not ${shown(value)}`);
  if (value.length !== shape.length)
    throw wrong(field, `${name} has rank ${shape.length}, ${declared}, not ${value.length}`);
  for (let axis = 0; axis < shape.length; axis++) {
    const size: unknown = value[axis];
    const dimension = shape[axis]!;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw wrong(`${field}[${axis}]`, `must be a positive integer, not ${shown(size)}`);
    const expected = typeof dimension === 'number' ? dimension : (sizes.get(dimension) ?? size);
    if (size !== expected)
      throw wrong(`${field}[${axis}]`, `must be ${expected} as in ${name} ${declared}, not ${size}`);
    if (typeof dimension !== 'string') continue;
    if (size === 0) throw wrong(`${field}[${axis}]`, `${dimension} must be at least 1, not 0`);
    sizes.set(dimension, size);
  }
  return value as readonly number[];
}

function readData(
  value: unknown,
  dtype: DType,
  shape: readonly number[],
  bodyBytes: number,
  field: string,
): NumericArray {
  if (!Array.isArray(value)) throw wrong(field, `must be an array, not ${shown(value)}`);
  const count = elementCount(shape);
  const nested = shape.length > 1 && Array.isArray(value[0]);
  if (count > bodyBytes || (!nested && value.length !== count))
    throw wrong(
      field,
      `shape [${shape.join(', ')}] needs ${count} elements, there are ${nested ? 'fewer' : value.length}`,
    );
  const target = new DTYPES[dtype].array(count);
  if (nested) readNested(value, dtype, shape, target, field);
  else readElements(dtype, value, target, 0, field);
  return target;
}

/** Nested as the shape says: every level has its dimension's length. */
function readNested(
  value: readonly unknown[],
  dtype: DType,
  shape: readonly number[],
  target: NumericArray,
  field: string,
): void {
  let at = 0;
  const walk = (level: unknown, axis: number, where: string): void => {
    if (!Array.isArray(level)) throw wrong(where, `must be an array, not ${shown(level)}`);
    const size = shape[axis]!;
    if (level.length !== size)
      throw wrong(where, `must have ${size} elements as in shape [${shape.join(', ')}], not ${level.length}`);
    if (axis === shape.length - 1) {
      readElements(dtype, level, target, at, where);
      at += size;
      return;
    }
    for (let i = 0; i < size; i++) walk(level[i], axis + 1, `${where}[${i}]`);
  };
  walk(value, 0, field);
}
