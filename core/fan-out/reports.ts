/** Reports of a job's parts. They are written once and never change: who has seen one need not ask for it again. */
import { type FanOutPlan, PartReport } from '../contracts/fan-out.ts';
import { partReportKey } from '../contracts/keys.ts';
import type { TaskMeter } from '../contracts/usage.ts';
import { meterMetadata } from '../jobs/meter.ts';
import { getDocument, type Remembering } from '../storage/documents.ts';
import { putJson } from '../storage/json.ts';
import type { PutOutcome } from '../storage/object-store.ts';

/** Objects asked for at the same time. */
const AT_ONCE = 32;

const readReport = (memory: Remembering, job: string, part: number): Promise<PartReport | undefined> =>
  getDocument(memory, partReportKey(job, part), PartReport);

export async function writeReport(
  { store, documents }: Remembering,
  job: string,
  report: PartReport,
  took: TaskMeter | undefined,
): Promise<PutOutcome> {
  const key = partReportKey(job, report.part);
  const outcome = await putJson(store, key, report, 'create', took && meterMetadata(took));
  if (outcome.kind === 'written') documents?.set(key, report);
  return outcome;
}

/**
 * Those announced after a part are asked for first, one, then two, then four …: as long as any is missing it is most likely
 * the next, and the look costs one request.
 * @param after default the last: they are asked for in order
 * @returns in order; undefined where one is missing
 */
export async function allReports(
  memory: Remembering,
  { job, parts }: FanOutPlan,
  after = parts.length - 1,
): Promise<PartReport[] | undefined> {
  const order = Array.from(parts, (_, n) => (after + 1 + n) % parts.length);
  const found: PartReport[] = [];
  let size = 1;
  for (let start = 0; start < order.length;) {
    const asked = order.slice(start, start + size);
    const answers = await Promise.all(asked.map((part) => readReport(memory, job, part)));
    for (const report of answers) {
      if (report === undefined) return undefined;
      found[report.part] = report;
    }
    start += size;
    size = Math.min(AT_ONCE, size * 2);
  }
  return found;
}

/** @returns the parts of which there is no report */
export async function missingParts(
  { store }: Pick<Remembering, 'store'>,
  { job, parts }: FanOutPlan,
): Promise<number[]> {
  const missing: number[] = [];
  for (let start = 0; start < parts.length; start += AT_ONCE) {
    const asked = [...parts.keys()].slice(start, start + AT_ONCE);
    const found = await Promise.all(asked.map((part) => store.head(partReportKey(job, part))));
    missing.push(...asked.filter((_, i) => found[i] === undefined));
  }
  return missing;
}
