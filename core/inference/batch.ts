/** Many requests' rows as one run: which models allow it, which requests fit together, and both ways of copying. */
import { DTYPES } from '../tensors/dtypes.ts';
import type { TensorSpec, TensorValue } from '../tensors/tensor.ts';
import { Fault } from '../errors.ts';

export type Values = Readonly<Record<string, TensorValue>>;

/** What is computed. */
export interface Work {
  readonly inputs: Values;
  /** Names, at least one. */
  readonly outputs: readonly string[];
}

/**
 * Whether rows can be added along the first axis: every input and output has the same symbolic dimension there, and
 * nowhere else (`[batch, batch]` compares rows with each other).
 */
export function hasBatchAxis({
  inputs,
  outputs,
}: {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}): boolean {
  const axis = inputs[0]?.shape[0];
  if (typeof axis !== 'string' || outputs.length === 0) return false;
  return [...inputs, ...outputs].every(({ shape }) => shape[0] === axis && !shape.includes(axis, 1));
}

/** Of a model with a batch axis; of others, the first dimension of the first input. 1 where there is none. */
export function rowsOf(inputs: Values): number {
  for (const name in inputs) return inputs[name]!.shape[0] ?? 1;
  return 1;
}

export function bytesOf(inputs: Values): number {
  let bytes = 0;
  for (const name in inputs) bytes += inputs[name]!.data.byteLength;
  return bytes;
}

/** Whether two requests of one model with a batch axis can be one run: the same outputs, and shapes that differ in rows only. */
export function fitTogether(a: Work, b: Work): boolean {
  if (a.outputs.length !== b.outputs.length) return false;
  for (let i = 0; i < a.outputs.length; i++) if (a.outputs[i] !== b.outputs[i]) return false;
  for (const name in a.inputs) {
    const [left, right] = [a.inputs[name]!, b.inputs[name]];
    if (right === undefined || left.dtype !== right.dtype || left.shape.length !== right.shape.length)
      return false;
    for (let axis = 1; axis < left.shape.length; axis++)
      if (left.shape[axis] !== right.shape[axis]) return false;
  }
  return true;
}

/** One after the other along the first axis. @param all at least one, fit together */
export function concatenate(all: readonly Values[]): Values {
  const [first] = all;
  const joined: Record<string, TensorValue> = {};
  for (const name in first) {
    const { dtype, shape } = first[name]!;
    let [rows, length] = [0, 0];
    for (const values of all) {
      rows += values[name]!.shape[0]!;
      length += values[name]!.data.length;
    }
    const data = new DTYPES[dtype].array(length);
    let at = 0;
    for (const values of all) {
      const part = values[name]!.data;
      data.set(part as never, at);
      at += part.length;
    }
    joined[name] = { dtype, shape: [rows, ...shape.slice(1)], data };
  }
  return joined;
}

/**
 * The reverse of {@link concatenate}, without copying.
 * @param rows of each part
 * @throws Fault `internal` where an output has not as many rows as went in: the model's signature is wrong
 */
export function split(values: Values, rows: readonly number[]): readonly Values[] {
  const total = rows.reduce((sum, each) => sum + each, 0);
  const parts = rows.map((): Record<string, TensorValue> => ({}));
  for (const name in values) {
    const { dtype, shape, data } = values[name]!;
    if (shape[0] !== total)
      throw new Fault('internal', `${name} has ${shape[0]} rows where ${total} went in: it cannot be split`);
    const perRow = data.length / total;
    let at = 0;
    for (let i = 0; i < rows.length; i++) {
      const end = at + rows[i]! * perRow;
      parts[i]![name] = { dtype, shape: [rows[i]!, ...shape.slice(1)], data: data.subarray(at, end) };
      at = end;
    }
  }
  return parts;
}
