/** A model over rows, a batch at a time: what batch inference is, without where rows come from and go to. */
import { type Columns, slice } from '../../core/datasets/columns.ts';
import { modelInput } from '../../core/datasets/model-input.ts';
import { Fault } from '../../core/errors.ts';
import type { ModelSession } from '../../core/inference/runtime.ts';
import { DTYPES, type NumericArray } from '../../core/tensors/dtypes.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';
import { storedAs } from '../training/evaluate.ts';

export interface PredictOptions {
  /** Model input → dataset tensor; an input that is not in it reads the tensor of its own name. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Names, in the order they are wanted. */
  readonly outputs: readonly string[];
  /** Inputs that the session takes as the dataset stores them; default: none. */
  readonly stored?: ReadonlySet<string>;
  /** Rows of one run, where the model takes any number. */
  readonly batchSize: number;
}

/**
 * @returns each output for all rows, rows first
 * @throws Fault `unprocessable` where an output has not a row for each row that went in, or changes its shape
 */
export async function predictRows(
  session: ModelSession,
  all: Columns,
  { inputs: mapping, outputs, batchSize, stored: asStored }: PredictOptions,
): Promise<ReadonlyMap<string, TensorValue>> {
  const fixed = session.inputs.map(({ shape }) => shape[0]).find((size) => typeof size === 'number');
  const perRun = fixed ?? batchSize;
  const results = new Map<string, TensorValue>();
  /** Inputs of the last batch, by name: a run has read them when it is done. */
  const used = new Map<string, NumericArray>();
  for (let start = 0; start < all.rows; start += perRun) {
    const batch = slice(all, start, Math.min(start + perRun, all.rows));
    const inputs = session.inputs.map(({ name, dtype }) => {
      const stored = storedAs(batch, mapping[name] ?? name);
      const value = asStored?.has(name) ? stored : modelInput(stored, dtype, used.get(name));
      // Never the dataset's own rows, which others read too.
      if (value.data !== stored.data && !used.has(name)) used.set(name, value.data);
      return [name, fixed === undefined ? value : filledUp(value, fixed)] as const;
    });
    const values = await session.run(Object.fromEntries(inputs), outputs);
    for (const name of outputs)
      take(results, name, values[name]!, { start, rows: batch.rows, all: all.rows });
  }
  return new Map(outputs.map((name) => [name, results.get(name)!]));
}

interface Taken {
  readonly start: number;
  readonly rows: number;
  readonly all: number;
}

/** Copies a batch's rows to where they belong; the first says how long a row is. */
function take(
  results: Map<string, TensorValue>,
  name: string,
  { dtype, shape, data }: TensorValue,
  { start, rows, all }: Taken,
): void {
  const refuse = (message: string): never => {
    throw new Fault('unprocessable', `outputs: ${name} ${message}`, { field: 'outputs' });
  };
  const [ran = 0, ...perRow] = shape;
  if (shape.length === 0 || ran < rows) refuse(`is [${shape.join(', ')}] for ${rows} rows, not one for each`);
  const length = perRow.reduce((product, size) => product * size, 1);
  let result = results.get(name);
  if (result === undefined) {
    result = { dtype, shape: [all, ...perRow], data: new DTYPES[dtype].array(all * length) };
    results.set(name, result);
  }
  if (result.shape.slice(1).join() !== perRow.join())
    refuse(`is [${perRow.join(', ')}] for some rows and [${result.shape.slice(1).join(', ')}] for others`);
  copy(result.data, data, start * length, rows * length);
}

/** `target.set(source.subarray(0, length), at)` for two arrays of one dtype, which TypeScript cannot see are the same. */
function copy(target: NumericArray, source: NumericArray, at: number, length: number): void {
  target.set(source.subarray(0, length) as never, at);
}

/** A model that takes exactly so many rows gets the last row again for those that are missing; what comes of them is dropped. */
function filledUp({ dtype, shape, data }: TensorValue, rows: number): TensorValue {
  const [present = 0, ...perRow] = shape;
  if (present === rows) return { dtype, shape, data };
  const length = data.length / present;
  const filled = new DTYPES[dtype].array(rows * length);
  copy(filled, data, 0, data.length);
  for (let row = present; row < rows; row++)
    copy(filled, data.subarray(data.length - length), row * length, length);
  return { dtype, shape: [rows, ...perRow], data: filled };
}
