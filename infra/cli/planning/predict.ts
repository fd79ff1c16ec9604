/** Predictions of a job as the command line makes them: what a trial says of it, on a platform, by numbers of shards. */
import type { TrainRequest, TrainSpec } from '../../../core/contracts/job.ts';
import type { Predicted } from '../../../core/contracts/usage.ts';
import { requestsOf } from '../../../core/costs/usage.ts';
import { functionsFor } from '../../../core/planning/capacity.ts';
import { type Exchange, measureExchange } from '../../../core/planning/exchange.ts';
import { oneMachine, type OneMachine } from '../../../core/planning/one-machine.ts';
import { AWS, C7G_MEDIUM, type Platform } from '../../../core/planning/platform.ts';
import { type Prediction, simulate } from '../../../core/planning/simulate.ts';
import { computeSeconds, type Job, workloadOf } from '../../../core/planning/workload.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
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

export async function platformOf(
  name: PlatformName,
  store: ObjectStore,
  { functions, speed, ...where }: PlatformOptions,
): Promise<Platform> {
  const platform = name === 'aws' ? AWS : await measureLocal(store, await stackEnvironment(where), functions);
  return {
    ...platform,
    ...(functions === undefined ? {} : { concurrency: functions }),
    ...(speed === undefined ? {} : { speed }),
  };
}

export interface Forecast {
  readonly job: Job;
  readonly exchange: Exchange;
  readonly rows: readonly Prediction[];
  readonly alone: OneMachine;
  /** R, where there is a deadline. */
  readonly firstEstimate: number | undefined;
}

const clock = () => performance.now() / 1000;

/** @param shards more than there are rows are left out */
export async function forecast(
  store: ObjectStore,
  request: TrainRequest,
  platform: Platform,
  {
    shards,
    stepSeconds,
    seed = 1,
  }: {
    readonly shards: readonly number[];
    readonly stepSeconds?: number | undefined;
    readonly seed?: number;
  },
): Promise<Forecast> {
  const job = await tryJob(store, request, stepSeconds);
  const exchange = await measureExchange(job.spec, job.parameters, clock);
  const rows = job.files.reduce((sum, file) => sum + file.rows, 0);
  const workload = (count: number) => workloadOf(job, withShards(job.spec, count), exchange);
  const { deadlineSeconds } = job.spec;
  const one = workload(1);
  return {
    job,
    exchange,
    rows: shards.filter((count) => count <= rows).map((count) => simulate(workload(count), platform, seed)),
    alone: oneMachine(one, C7G_MEDIUM, platform),
    firstEstimate:
      deadlineSeconds === undefined
        ? undefined
        : functionsFor(computeSeconds(one), deadlineSeconds * platform.speed),
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
