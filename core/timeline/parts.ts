/** When the parts of a job that is split and merged ran, read from its objects alone. */
import type { AcceptedFanOut, FanOutPlan, FanOutResult } from '../contracts/fan-out.ts';
import { partReportPrefix } from '../contracts/keys.ts';
import {
  type FanOutTimeline,
  TIMELINE_PAGE,
  type TimelinePart,
  type TimelineQuery,
} from '../contracts/timeline.ts';
import { type FanOutHistory, readFanOut } from '../fan-out/view.ts';
import { statusOf } from '../jobs/standing.ts';
import { eachObject } from '../storage/list.ts';
import type { ObjectInfo, ObjectStore } from '../storage/object-store.ts';
import { numbersOf, pageOf } from './page.ts';
import { ranOf } from './ran.ts';
import { type Trace, traced } from './traces.ts';

const PART = /(\d+)\.json$/;

export async function fanOutTimeline(
  store: ObjectStore,
  { job, spec, acceptedAt }: AcceptedFanOut,
  now: Date,
  history: FanOutHistory,
  query: TimelineQuery,
): Promise<FanOutTimeline> {
  const control = await readFanOut(store, job, history);
  const { plan, result } = history;
  const reports = plan === undefined ? new Map<number, ObjectInfo>() : await readReports(store, job);
  const total = plan?.parts.length ?? 0;
  const range = pageOf(query, {
    total,
    newest: Math.min(total, newestOf(reports)),
    most: TIMELINE_PAGE.bars,
    usual: TIMELINE_PAGE.parts,
  });
  const numbers = numbersOf(range);
  const asked = new Map([...reports].filter(([part]) => part >= range.start && part < range.end));
  history.meters ??= new Map();
  const traces = await traced(store, asked, history.meters);
  return {
    job,
    kind: spec.kind,
    status: statusOf({ result, plan, control }),
    acceptedAt,
    ...(plan === undefined ? {} : { plannedAt: plan.plannedAt }),
    ...(result === undefined ? {} : { endedAt: result.endedAt }),
    now: now.toISOString(),
    first: range.start,
    parts: total,
    page: plan === undefined ? [] : numbers.map((part) => timelinePart(plan, result, part, traces.get(part))),
  };
}

async function readReports(store: ObjectStore, job: string): Promise<Map<number, ObjectInfo>> {
  const reports = new Map<number, ObjectInfo>();
  for await (const object of eachObject(store, partReportPrefix(job))) {
    const part = PART.exec(object.key)?.[1];
    if (part !== undefined) reports.set(Number(part), object);
  }
  return reports;
}

/** Parts are done in roughly their order: behind the last that is done, some that are being done. */
const newestOf = (reports: ReadonlyMap<number, ObjectInfo>): number =>
  [...reports.keys()].reduce((last, part) => Math.max(last, part), 0) + 1 + TIMELINE_PAGE.parts / 4;

/** @param result that of a job that succeeded tells that every part was done, also where reports have expired */
function timelinePart(
  { parts }: Pick<FanOutPlan, 'parts'>,
  result: FanOutResult | undefined,
  part: number,
  trace: Trace | undefined,
): TimelinePart {
  const { start, end } = parts[part]!;
  return {
    part,
    state: trace !== undefined || result?.status === 'succeeded' ? 'done' : 'open',
    rows: end - start,
    ran: ranOf(trace?.meter),
    ...(trace === undefined ? {} : { writtenAt: trace.at.toISOString() }),
  };
}
