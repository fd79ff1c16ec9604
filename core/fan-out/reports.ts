/** Reports of a job's parts. They are written once and never change: who has seen one need not ask for it again. */
import { type FanOutPlan, PartReport } from '../contracts/fan-out.ts';
import { partReportKey } from '../contracts/keys.ts';
import type { TaskMeter } from '../contracts/usage.ts';
import { meterMetadata, meterOf } from '../jobs/meter.ts';
import type { Remembering } from '../storage/documents.ts';
import { parseObject, putJson } from '../storage/json.ts';
import type { PutOutcome } from '../storage/object-store.ts';

/** A report, and what the part took, where whoever did it said so. */
export interface Reported {
  readonly report: PartReport;
  readonly took: TaskMeter | undefined;
}

/** Objects asked for at the same time. */
const AT_ONCE = 32;

async function readReport(
  { store, documents }: Remembering,
  job: string,
  part: number,
): Promise<Reported | undefined> {
  const key = partReportKey(job, part);
  const known = documents?.get(key);
  if (known !== undefined) return known as Reported;
  const object = await store.get(key);
  if (object === undefined) return undefined;
  const reported: Reported = { report: parseObject(object, PartReport), took: meterOf(object) };
  documents?.set(key, reported);
  return reported;
}

export async function writeReport(
  { store, documents }: Remembering,
  job: string,
  { report, took }: Reported,
): Promise<PutOutcome> {
  const key = partReportKey(job, report.part);
  const outcome = await putJson(store, key, report, 'create', took && meterMetadata(took));
  if (outcome.kind === 'written') documents?.set(key, { report, took } satisfies Reported);
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
): Promise<Reported[] | undefined> {
  const order = Array.from(parts, (_, n) => (after + 1 + n) % parts.length);
  const found: Reported[] = [];
  let size = 1;
  for (let start = 0; start < order.length;) {
    const asked = order.slice(start, start + size);
    const answers = await Promise.all(asked.map((part) => readReport(memory, job, part)));
    for (const reported of answers) {
      if (reported === undefined) return undefined;
      found[reported.report.part] = reported;
    }
    start += size;
    size = Math.min(AT_ONCE, size * 2);
  }
  return found;
}
