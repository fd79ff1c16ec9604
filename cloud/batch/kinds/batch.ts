/** Batch inference: a part is a run of rows, its output one file of predictions. */
import type { Columns } from '../../../core/datasets/columns.ts';
import { FORMATS } from '../../../core/fan-out/formats/table.ts';
import type { FanOutWork } from '../../../core/fan-out/work.ts';
import { type BatchContext, loadSession, type StoredInputs } from '../context.ts';
import { manifestOf, writeShard } from '../output.ts';
import { specOfKind } from '../plan.ts';
import { predictRows } from '../predict.ts';
import { partRows } from '../rows.ts';

export function batchWork(context: BatchContext): FanOutWork {
  return {
    async execute(plan, part) {
      const spec = specOfKind(plan, 'batch');
      const { start, columns } = await partRows(context, plan, spec, part);
      const { session, stored } = await loadSession(context, plan.model, storedInputs(columns, spec.inputs));
      const outputs = spec.outputs ?? session.outputs.map(({ name }) => name);
      const tensors = await predictRows(session, columns, { ...spec, outputs, stored });
      const format = FORMATS[spec.format];
      const bytes = format.encode({ start, rows: columns.rows, tensors });
      return {
        v: 1,
        part,
        output: await writeShard(context.store, plan.job, part, format, bytes),
        tensors: [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape: shape.slice(1) })),
      };
    },
    merge: (plan, reports) => ({
      figures: {},
      manifest: manifestOf(plan, reports, specOfKind(plan, 'batch').format),
    }),
  };
}

/** Every tensor under its own name, and under that of the input that reads it. */
function storedInputs({ tensors }: Columns, mapping: Readonly<Record<string, string>>): StoredInputs {
  const described = Object.entries(tensors).map(
    ([
      name,
      {
        spec: { dtype, divisor },
      },
    ]) => {
      return [name, { dtype, ...(divisor === undefined ? {} : { divisor }) }] as const;
    },
  );
  const byTensor = Object.fromEntries(described);
  const named = Object.entries(mapping).map(([input, tensor]) => [input, byTensor[tensor]!] as const);
  return { ...byTensor, ...Object.fromEntries(named) };
}
