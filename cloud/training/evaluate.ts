/** Metrics of a forward graph on held-out rows: the graph as it will be served, run by the runtime that serves it. */
import type { TrainSpec } from '../../core/contracts/job.ts';
import type { Metrics } from '../../core/contracts/primitives.ts';
import { type Columns, slice } from '../../core/datasets/columns.ts';
import { modelInput } from '../../core/datasets/model-input.ts';
import { Fault } from '../../core/errors.ts';
import type { ModelSession } from '../../core/inference/runtime.ts';
import { createEvaluation, type Evaluation, type OutputForm } from '../../core/metrics/evaluation.ts';
import type { Stored } from '../../core/metrics/scores/scorer.ts';

/** Rows per run: large enough to be quick, small enough for any function's memory. */
const EVALUATION_BATCH = 500;
/** Elements of the output per run: 16 MiB of float32, where a row of it is long (a vocabulary for every token). */
const EVALUATION_ELEMENTS = 4_194_304;

/** @returns the loss's metrics (core/metrics/of-loss.ts), the one to show first */
export async function evaluate(
  session: ModelSession,
  rows: Columns,
  spec: Pick<TrainSpec, 'inputs' | 'loss'>,
  form: OutputForm,
): Promise<Metrics> {
  return (await scored(session, rows, spec, form)).metrics();
}

/** As {@link evaluate}, for rows that are only a part of what is evaluated. */
export async function scored(
  session: ModelSession,
  rows: Columns,
  { inputs: mapping, loss }: Pick<TrainSpec, 'inputs' | 'loss'>,
  form: OutputForm,
): Promise<Evaluation> {
  const output = session.outputs.find(({ name }) => name === loss.output);
  if (output === undefined) throw new Fault('unprocessable', `the model has no output ${loss.output}`);
  const evaluation = createEvaluation(loss, form, output.shape.length);
  const columns: { readonly target?: string; readonly mask?: string | undefined } =
    loss.kind === 'output' ? {} : loss;

  const run = async (batch: Columns) => {
    const inputs = session.inputs.map(({ name, dtype }) => {
      const stored = storedAs(batch, mapping[name] ?? name);
      return [name, modelInput(stored, dtype)] as const;
    });
    const results = await session.run(Object.fromEntries(inputs), [output.name]);
    const value = results[output.name];
    if (value === undefined) throw new Fault('internal', `${output.name} was not computed`);
    return value;
  };
  // The first row by itself says how long a row of the output is.
  let perRun = 1;
  for (let start = 0, end = 1; start < rows.rows; start = end, end = start + perRun) {
    const batch = slice(rows, start, Math.min(end, rows.rows));
    const value = await run(batch);
    evaluation.update({
      output: value,
      target: columns.target === undefined ? undefined : storedAs(batch, columns.target),
      mask: columns.mask === undefined ? undefined : storedAs(batch, columns.mask),
      rows: batch.rows,
    });
    const affordable = Math.floor(EVALUATION_ELEMENTS / (value.data.length / batch.rows));
    perRun = Math.min(EVALUATION_BATCH, Math.max(1, affordable));
  }
  return evaluation;
}

export function storedAs({ rows, tensors }: Columns, name: string): Stored {
  const column = tensors[name];
  if (column === undefined) throw new Fault('unprocessable', `the dataset has no tensor ${name}`);
  const { spec, data } = column;
  return { dtype: spec.dtype, shape: [rows, ...spec.shape], data, divisor: spec.divisor };
}
