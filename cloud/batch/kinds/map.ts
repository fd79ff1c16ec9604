/** Map: a part is a run of items, its output a line for each, in order, with its result or why there is none. */
import { utf8 } from '../../../core/fan-out/formats/format.ts';
import type { FanOutPlan, MapSpec } from '../../../core/contracts/fan-out.ts';
import { itemsIn } from '../../../core/fan-out/items.ts';
import type { FanOutWork } from '../../../core/fan-out/work.ts';
import { getBlob, getBlobRange } from '../../../core/storage/blobs.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import type { BatchContext } from '../context.ts';
import { manifestOf, writeShard } from '../output.ts';
import { specOfKind } from '../plan.ts';
import { applyFunction } from '../mapped/table.ts';

const JSONL = { extension: 'jsonl', contentType: 'application/x-ndjson' };

export function mapWork(context: BatchContext): FanOutWork {
  return {
    async execute(plan, part) {
      const spec = specOfKind(plan, 'map');
      const { start } = plan.parts[part]!;
      const items = await itemsOfPart(context.store, plan, spec, part);
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

async function itemsOfPart(
  store: ObjectStore,
  { parts, itemBytes }: FanOutPlan,
  { items }: MapSpec,
  part: number,
): Promise<readonly unknown[]> {
  const { start, end } = parts[part]!;
  if (!('blob' in items)) return items.slice(start, end);
  const bytes = itemBytes?.[part];
  return bytes === undefined
    ? itemsIn(await getBlob(store, items.blob), { start, end })
    : itemsIn(await getBlobRange(store, items.blob, bytes));
}
