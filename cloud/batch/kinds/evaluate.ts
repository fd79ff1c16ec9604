/** Evaluation: a part scores a run of rows, the whole adds up what the metrics are made of. */
import { lossColumns } from '../../../core/autodiff/losses/columns.ts';
import { lossOf } from '../../../core/autodiff/losses/table.ts';
import type { LossSpec } from '../../../core/contracts/loss.ts';
import { type Columns } from '../../../core/datasets/columns.ts';
import { checkValues } from '../../../core/datasets/value-rule.ts';
import { Fault } from '../../../core/errors.ts';
import { boundOutputs } from '../../../core/fan-out/ranges.ts';
import type { FanOutWork } from '../../../core/fan-out/work.ts';
import type { ModelSession } from '../../../core/inference/runtime.ts';
import { createEvaluation, type Evaluation, type OutputForm } from '../../../core/metrics/evaluation.ts';
import { scored } from '../../training/evaluate.ts';
import { type BatchContext, loadSession } from '../context.ts';
import { specOfKind } from '../plan.ts';
import { partRows } from '../rows.ts';

export interface Judged {
  readonly inputs: Readonly<Record<string, string>>;
  readonly loss: LossSpec;
}

/**
 * @param form what the loss's output is
 * @throws Fault `unprocessable` where a value of the dataset is not what the loss is defined for
 */
export function scoreRows(
  session: ModelSession,
  columns: Columns,
  { inputs, loss }: Judged,
  form: OutputForm,
): Promise<Evaluation> {
  const tensors = Object.fromEntries(Object.entries(columns.tensors).map(([name, { spec }]) => [name, spec]));
  const output = boundOutputs(session, tensors, inputs).find(({ name }) => name === loss.output);
  if (output === undefined) throw new Fault('unprocessable', `the model has no output ${loss.output}`);
  for (const rule of lossOf(loss).rules(loss, output, lossColumns(loss, tensors))) {
    const column = columns.tensors[rule.tensor];
    if (column !== undefined) checkValues(rule, column.data);
  }
  return scored(session, columns, { inputs: { ...inputs }, loss }, form);
}

export function evaluateWork(context: BatchContext): FanOutWork {
  return {
    async execute(plan, part) {
      const spec = specOfKind(plan, 'evaluate');
      const [{ session }, { columns }] = await Promise.all([
        loadSession(context, plan.model),
        partRows(context, plan, spec, part),
      ]);
      const { loss, form } = settledLoss(plan, spec);
      const evaluation = await scoreRows(session, columns, { inputs: spec.inputs, loss }, form);
      const rank = session.outputs.find(({ name }) => name === loss.output)?.shape.length ?? 0;
      return { v: 1, part, rank, tallies: evaluation.tallies() };
    },
    merge(plan, reports) {
      const { loss, form } = settledLoss(plan, specOfKind(plan, 'evaluate'));
      const whole = createEvaluation(loss, form, reports[0]?.rank ?? 0);
      for (const { tallies } of reports) whole.add(tallies ?? {});
      return { figures: { metrics: whole.metrics() } };
    },
  };
}

/** @throws Fault `internal` where the plan left it open */
function settledLoss(
  { form }: { readonly form?: OutputForm | undefined },
  { loss }: { readonly loss?: LossSpec | undefined },
): { readonly loss: LossSpec; readonly form: OutputForm } {
  if (loss !== undefined && form !== undefined) return { loss, form };
  throw new Fault('internal', 'the plan of an evaluation names no loss');
}
