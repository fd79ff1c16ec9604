/** Map: a part is a run of items, its output a line for each, in order, with its result or why there is none. */
import { utf8 } from '../../../core/fan-out/formats/format.ts';
import { itemsOf } from '../../../core/fan-out/items.ts';
import type { FanOutWork } from '../../../core/fan-out/work.ts';
import type { BatchContext } from '../context.ts';
import { manifestOf, writeShard } from '../output.ts';
import { specOfKind } from '../plan.ts';
import { applyFunction } from '../mapped/table.ts';

const JSONL = { extension: 'jsonl', contentType: 'application/x-ndjson' };

export function mapWork(context: BatchContext): FanOutWork {
  return {
    async execute(plan, part) {
      const spec = specOfKind(plan, 'map');
      const { start, end } = plan.parts[part]!;
      const items = (await itemsOf(context.store, spec)).slice(start, end);
      const answers = await applyFunction(context, spec.function, plan.model, items);
      const lines = answers.map((answer, i) => `${JSON.stringify({ item: start + i, ...answer })}\n`);
      const bytes = utf8(lines.join(''));
      return {
        v: 1,
        part,
        output: await writeShard(context.store, plan.job, part, JSONL, bytes),
        failed: answers.filter((answer) => 'error' in answer).length,
      };
    },
    merge: (plan, reports) => ({
      figures: { failed: reports.reduce((sum, { failed = 0 }) => sum + failed, 0) },
      manifest: manifestOf(plan, reports, 'jsonl'),
    }),
  };
}
