/** Metrics of a forward graph on held-out rows: the graph as it will be served, run by the runtime that serves it. */
import type { TrainSpec } from '../../core/contracts/job.ts';
import type { Metrics } from '../../core/contracts/primitives.ts';
import { type Columns, slice } from '../../core/datasets/columns.ts';
import { Fault } from '../../core/errors.ts';
import type { ModelSession } from '../../core/inference/runtime.ts';
import { DTYPES } from '../../core/tensors/dtypes.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';

/** Rows per run: large enough to be quick, small enough for any function's memory. */
const EVALUATION_BATCH = 500;

/** @returns `accuracy`: the share of rows whose largest output is the target class */
export async function evaluate(
  session: ModelSession,
  rows: Columns,
  spec: Pick<TrainSpec, 'inputs' | 'loss'>,
): Promise<Metrics> {
  const { output, target } = spec.loss;
  let correct = 0;
  for (let start = 0; start < rows.rows; start += EVALUATION_BATCH) {
    const batch = slice(rows, start, Math.min(start + EVALUATION_BATCH, rows.rows));
    const inputs = session.inputs.map(({ name, dtype }) => {
      return [name, asInput(batch, spec.inputs[name] ?? name, dtype)] as const;
    });
    const outputs = await session.run(Object.fromEntries(inputs), [output]);
    correct += countCorrect(outputs[output], batch, target);
  }
  return { accuracy: correct / rows.rows };
}

/** The values a client would send: stored values divided by the divisor, in the graph's dtype. */
function asInput({ rows, tensors }: Columns, name: string, dtype: TensorValue['dtype']): TensorValue {
  const column = tensors[name];
  if (column === undefined) throw new Fault('unprocessable', `the dataset has no tensor ${name}`);
  const shape = [rows, ...column.spec.shape];
  if (column.spec.dtype === dtype && column.spec.divisor === undefined) {
    return { dtype, shape, data: column.data };
  }
  const divisor = column.spec.divisor ?? 1;
  const { array } = DTYPES[dtype];
  const data = new array(column.data.length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < data.length; i++) data[i] = BigInt(column.data[i]!);
  } else {
    for (let i = 0; i < data.length; i++) data[i] = Number(column.data[i]!) / divisor;
  }
  return { dtype, shape, data };
}

function countCorrect(scores: TensorValue | undefined, { rows, tensors }: Columns, target: string): number {
  const classes = tensors[target]?.data;
  if (scores === undefined || classes === undefined) {
    throw new Fault('unprocessable', `no output or no target ${target}`);
  }
  const perRow = scores.data.length / rows;
  let correct = 0;
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let i = 1; i < perRow; i++) {
      if (scores.data[row * perRow + i]! > scores.data[row * perRow + best]!) best = i;
    }
    if (best === Number(classes[row]!)) correct++;
  }
  return correct;
}
