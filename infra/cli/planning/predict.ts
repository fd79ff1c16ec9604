/** Predictions of a job as the command line makes them: what a trial says of it, on a platform, by numbers of shards. */
import { type TrainRequest, TrainSpec } from '../../../core/contracts/job.ts';
import { parse } from '../../../core/contracts/parse.ts';
import type { Predicted } from '../../../core/contracts/usage.ts';
import { requestsOf } from '../../../core/costs/usage.ts';
import { type Exchange, measureExchange } from '../../../core/planning/exchange.ts';
import { oneMachine, type OneMachine } from '../../../core/planning/one-machine.ts';
import { AWS, C7G_MEDIUM, type Platform } from '../../../core/planning/platform.ts';
import { type Prediction, simulate } from '../../../core/planning/simulate.ts';
import { computeSeconds, type Job, workloadOf } from '../../../core/planning/workload.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { checkStrategy } from '../../../core/strategies/check.ts';
import { stackEnvironment } from '../connection.ts';
import { measureLocal } from './local.ts';
import { tryJob } from './trial.ts';

export const PLATFORMS = ['aws', 'local'] as const;
export type PlatformName = (typeof PLATFORMS)[number];

export interface PlatformOptions {
  readonly state?: string;
  /** Functions at once; default: as many as the platform gives. */
  readonly functions?: number;
  /** Times that a function computes as fast as this machine. */
  readonly speed?: number;
}

/** Where the job is to run, and what of that is this machine. */
export interface Place {
  readonly platform: Platform;
  /** Functions that compute at once on this machine: each is slower for the others, and by how much is measured. */
  readonly beside: number;
}

export async function placeOf(
  name: PlatformName,
  store: ObjectStore,
  { functions, speed, ...where }: PlatformOptions,
): Promise<Place> {
  const given = {
    ...(functions === undefined ? {} : { concurrency: functions }),
    ...(speed === undefined ? {} : { speed }),
  };
  if (name === 'aws') return { platform: { ...AWS, ...given }, beside: 1 };
  const platform = { ...(await measureLocal(store, await stackEnvironment(where))), ...given };
  return { platform, beside: speed === undefined ? platform.concurrency : 1 };
}

export interface ForecastOptions {
  /** More than there are rows are left out. */
  readonly shards: readonly number[];
  readonly stepSeconds?: number | undefined;
  readonly seed?: number;
}

/** Of one strategy. */
export interface Forecast {
  readonly spec: TrainSpec;
  readonly exchange: Exchange;
  readonly rows: readonly Prediction[];
}

/** Of several, which have the same data, model and steps. */
export interface Comparison {
  readonly job: Job;
  readonly forecasts: readonly Forecast[];
  /** Function-seconds of all the job's steps, Q. */
  readonly work: number;
  readonly alone: OneMachine;
}

const clock = () => performance.now() / 1000;

export async function forecast(
  store: ObjectStore,
  request: TrainRequest,
  place: Place,
  options: ForecastOptions,
): Promise<Forecast> {
  const { forecasts } = await compare(store, [request], place, options);
  return forecasts[0]!;
}

/**
 * @param requests at least one, of one job: they differ in strategy, compression and what the optimizer is told
 * @throws Fault as accepting one of them would
 */
export async function compare(
  store: ObjectStore,
  requests: readonly TrainRequest[],
  { platform, beside }: Place,
  { shards, stepSeconds, seed = 1 }: ForecastOptions,
): Promise<Comparison> {
  const specs = requests.map((request) => parse(TrainSpec, request));
  for (const spec of specs) checkStrategy(spec);
  const besides = shards.map((count) => Math.min(count, beside));
  const { job, slowdown } = await tryJob(store, requests[0]!, { stepSeconds, besides });
  const rows = job.files.reduce((sum, file) => sum + file.rows, 0);
  const counts = shards.filter((count) => count <= rows);
  /** As many as there are to be at once have the cores to share. */
  const at = (count: number): Platform => ({
    ...platform,
    speed: platform.speed / slowdown(Math.min(count, beside)),
  });
  const forecasts: Forecast[] = [];
  for (const spec of specs) {
    const exchange = await measureExchange(spec, job.parameters, clock);
    const workload = (count: number) => workloadOf(job, withShards(spec, count), exchange);
    forecasts.push({
      spec,
      exchange,
      rows: counts.map((count) => simulate(workload(count), at(count), seed)),
    });
  }
  const one = workloadOf(job, withShards(specs[0]!, 1), forecasts[0]!.exchange);
  return {
    job,
    forecasts,
    work: computeSeconds(one) / platform.speed,
    alone: oneMachine(one, C7G_MEDIUM, platform),
  };
}

/** A quorum is never of more shards than there are. */
const withShards = (spec: TrainSpec, shards: number): TrainSpec => ({
  ...spec,
  shards,
  ...(spec.quorum === undefined ? {} : { quorum: Math.min(spec.quorum, shards) }),
});

/** As it is kept with the job, to be shown beside what is metered. */
export const predictedOf = ({ seconds, metered }: Prediction): Predicted => ({
  seconds,
  functionSeconds: metered.functionSeconds,
  requests: requestsOf(metered),
  dollars: metered.dollars,
});
