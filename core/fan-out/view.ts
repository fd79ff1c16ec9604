/** What a job that is split and merged looks like from outside, read from its objects alone. */
import {
  type AcceptedFanOut,
  FanOutPlan,
  FanOutResult,
  type FanOutSpec,
  type FanOutView,
} from '../contracts/fan-out.ts';
import { jobPlanKey, jobResultKey, partReportKey, partReportPrefix } from '../contracts/keys.ts';
import type { Spent, TaskMeter } from '../contracts/usage.ts';
import type { Prices } from '../costs/prices.ts';
import { spentIn } from '../costs/spent.ts';
import { inTurns } from '../in-turns.ts';
import { type ControlState, readControl, UNTOUCHED } from '../jobs/control.ts';
import { meterOf } from '../jobs/meter.ts';
import { isRedrivable, statusOf } from '../jobs/standing.ts';
import { getJson } from '../storage/json.ts';
import { eachObject } from '../storage/list.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { rowsOfPlan } from './work.ts';

/** Immutable objects already read, so that watching a job costs one look per new thing. */
export interface FanOutHistory {
  /** Of the bucket that is looked into; default: S3's. */
  readonly prices?: Prices | undefined;
  plan?: FanOutPlan | undefined;
  result?: FanOutResult | undefined;
  /** Default: nobody did anything. */
  control?: ControlState;
  /** What part reports told, by key. */
  meters?: Map<string, TaskMeter | undefined>;
}

/** Reads what is new since the last call into `history`. */
export async function readFanOut(
  store: ObjectStore,
  job: string,
  history: FanOutHistory,
): Promise<ControlState> {
  const known = history.control ?? UNTOUCHED;
  if (history.result !== undefined && !isRedrivable(history.result)) return known;
  const control = await readControl(store, job, known);
  const result = await getJson(store, jobResultKey(job, control.run), FanOutResult);
  history.plan ??= await getJson(store, jobPlanKey(job), FanOutPlan);
  history.control = control;
  history.result = result;
  return control;
}

export async function viewFanOut(
  store: ObjectStore,
  { job, spec, acceptedAt }: AcceptedFanOut,
  now: Date,
  history: FanOutHistory = {},
): Promise<FanOutView> {
  const control = await readFanOut(store, job, history);
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
  const spent = plan && (await spentOn(store, plan, done, history));
  return {
    job,
    kind: spec.kind,
    model: modelOf(spec).name,
    ...datasetOf(plan?.spec ?? spec),
    status: statusOf({ result, plan, control }),
    acceptedAt,
    parts: parts.length,
    partsDone: done.length,
    rows,
    rowsDone,
    rowsPerSecond,
    seconds,
    secondsLeft: result !== undefined ? 0 : rowsPerSecond > 0 ? (rows - rowsDone) / rowsPerSecond : null,
    ...(spent === undefined ? {} : { spent }),
    result: result ?? null,
  };
}

/** Meters asked for in one look, and how many of them at the same time. */
const METERS = { aLook: 256, atOnce: 32 };

/** @param done parts @returns undefined where that is not known (yet): a list tells no meters, each report is asked for its own */
async function spentOn(
  store: ObjectStore,
  { job, usage }: FanOutPlan,
  done: readonly number[],
  history: FanOutHistory,
): Promise<Spent | undefined> {
  const { result, prices } = history;
  if (result?.status === 'succeeded' || result?.status === 'stopped') return result.spent;
  const meters = (history.meters ??= new Map());
  const keys = done.map((part) => partReportKey(job, part));
  const unknown = keys.filter((key) => !meters.has(key)).slice(0, METERS.aLook);
  await inTurns(unknown, METERS.atOnce, async (key) => {
    const info = await store.head(key);
    meters.set(key, info && meterOf(info));
  });
  if (keys.some((key) => !meters.has(key))) return undefined;
  return spentIn({ prices }, [usage, ...keys.map((key) => meters.get(key)?.usage)]);
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
