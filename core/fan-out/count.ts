/**
 * Which parts are done, and what they took: each report's meter is told by HEAD, and a warm function asks for it once.
 * There is no running total to read, as no object is ever rewritten.
 */
import type { FanOutPlan } from '../contracts/fan-out.ts';
import { partReportKey } from '../contracts/keys.ts';
import type { TaskMeter, Usage } from '../contracts/usage.ts';
import { addUsage, NO_USAGE } from '../costs/usage.ts';
import { meterOf } from '../jobs/meter.ts';
import type { Remembering } from '../storage/documents.ts';

export interface Counted {
  /** Parts that are done. */
  readonly done: ReadonlySet<number>;
  /** Of the plan and of these parts. */
  readonly usage: Usage;
}

/**
 * `known`: nobody is asked. `ahead`: until many in a row are missing, since parts are done in roughly their order; one done
 * far beyond is counted later. `all`: every part.
 */
export type Looking = 'known' | 'ahead' | 'all';

/** Objects asked for at the same time; with `ahead` so many missing ones in a row end the look. */
const AT_ONCE = { ahead: 8, all: 32 };

interface Tally {
  readonly done: Set<number>;
  usage: Usage;
}

const tallyKey = (job: string) => `parts counted of ${job}`;

function tallyOf({ documents }: Remembering, { job, usage = NO_USAGE }: FanOutPlan): Tally {
  const known = documents?.get(tallyKey(job));
  if (known !== undefined) return known as Tally;
  const tally: Tally = { done: new Set(), usage };
  documents?.set(tallyKey(job), tally);
  return tally;
}

function count(tally: Tally, part: number, took: TaskMeter | undefined): void {
  // Two looks of one function at the same time both ask.
  if (tally.done.has(part)) return;
  tally.done.add(part);
  if (took !== undefined) tally.usage = addUsage(tally.usage, took.usage);
}

/** Of a part that this function has just reported. */
export const countPart = (
  memory: Remembering,
  plan: FanOutPlan,
  part: number,
  took: TaskMeter | undefined,
): void => count(tallyOf(memory, plan), part, took);

export async function countParts(memory: Remembering, plan: FanOutPlan, looking: Looking): Promise<Counted> {
  const tally = tallyOf(memory, plan);
  if (looking === 'known') return tally;
  const unknown = [...plan.parts.keys()].filter((part) => !tally.done.has(part));
  const atOnce = AT_ONCE[looking];
  for (let start = 0; start < unknown.length; start += atOnce) {
    const asked = unknown.slice(start, start + atOnce);
    const found = await Promise.all(asked.map((part) => memory.store.head(partReportKey(plan.job, part))));
    for (const [i, info] of found.entries()) if (info !== undefined) count(tally, asked[i]!, meterOf(info));
    if (looking === 'ahead' && found.every((info) => info === undefined)) break;
  }
  return tally;
}

export const missingOf = ({ parts }: FanOutPlan, { done }: Counted): number[] =>
  [...parts.keys()].filter((part) => !done.has(part));
