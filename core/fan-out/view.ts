/** What a job that is split and merged looks like from outside, read from its objects alone. */
import {
  type AcceptedFanOut,
  FanOutPlan,
  FanOutResult,
  type FanOutSpec,
  type FanOutView,
} from '../contracts/fan-out.ts';
import { jobPlanKey, jobResultKey, partReportPrefix } from '../contracts/keys.ts';
import type { TaskMeter } from '../contracts/usage.ts';
import { getJson } from '../storage/json.ts';
import { eachObject } from '../storage/list.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { rowsOfPlan } from './work.ts';

/** Immutable objects already read, so that watching a job costs one look per new thing. */
export interface FanOutHistory {
  plan?: FanOutPlan | undefined;
  result?: FanOutResult | undefined;
  /** What part reports told, by key. */
  meters?: Map<string, TaskMeter | undefined>;
}

export async function viewFanOut(
  store: ObjectStore,
  { job, spec, acceptedAt }: AcceptedFanOut,
  now: Date,
  history: FanOutHistory = {},
): Promise<FanOutView> {
  history.result ??= await getJson(store, jobResultKey(job), FanOutResult);
  history.plan ??= await getJson(store, jobPlanKey(job), FanOutPlan);
  const { plan, result } = history;
  const parts = plan?.parts ?? [];
  const done = plan === undefined ? [] : await doneParts(store, plan, result);
  const rows = plan === undefined ? 0 : rowsOfPlan(plan);
  const rowsDone = done.reduce((sum, part) => {
    const range = parts[part];
    return range === undefined ? sum : sum + range.end - range.start;
  }, 0);
  const until = result === undefined ? now.getTime() : Date.parse(result.endedAt);
  const seconds = plan === undefined ? 0 : Math.max(0, (until - Date.parse(plan.plannedAt)) / 1000);
  const rowsPerSecond = seconds > 0 ? rowsDone / seconds : 0;
  return {
    job,
    kind: spec.kind,
    model: modelOf(spec).name,
    ...datasetOf(plan?.spec ?? spec),
    status: result?.status ?? (plan === undefined ? 'queued' : 'running'),
    acceptedAt,
    parts: parts.length,
    partsDone: done.length,
    rows,
    rowsDone,
    rowsPerSecond,
    seconds,
    secondsLeft: result !== undefined ? 0 : rowsPerSecond > 0 ? (rows - rowsDone) / rowsPerSecond : null,
    result: result ?? null,
  };
}

export const modelOf = (spec: FanOutSpec) => (spec.kind === 'map' ? spec.function.model : spec.model);

function datasetOf(spec: FanOutSpec): Pick<FanOutView, 'dataset'> {
  const over = spec.kind === 'map' ? spec.function : spec;
  return 'dataset' in over ? { dataset: over.dataset } : {};
}

const PART = /(\d+)\.json$/;

/** For display only: the gathering never lists, it reads the keys it knows. */
async function doneParts(
  store: ObjectStore,
  { job, parts }: FanOutPlan,
  result: FanOutResult | undefined,
): Promise<number[]> {
  if (result?.status === 'succeeded') return [...parts.keys()];
  const done: number[] = [];
  for await (const { key } of eachObject(store, partReportPrefix(job))) {
    const part = PART.exec(key)?.[1];
    if (part !== undefined) done.push(Number(part));
  }
  return done;
}
