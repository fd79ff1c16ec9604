/** A job as its rounds see it: how much of what, and what this machine takes for a piece of it. */
import type { TrainSpec, Traffic } from '../contracts/job.ts';
import { planRounds, type RoundPlan } from '../jobs/schedule.ts';
import { slicesOf } from '../strategies/slices.ts';
import { strategyOf } from '../strategies/table.ts';
import type { ParameterSlot } from '../contracts/job.ts';
import type { Exchange } from './exchange.ts';

/** A file of a dataset's split. */
export interface DataFile {
  readonly rows: number;
  readonly bytes: number;
}

/** What does not depend on the number of shards or the strategy. */
export interface Job {
  readonly spec: TrainSpec;
  /** Of the training split, in their order; and of the test split. */
  readonly files: readonly DataFile[];
  readonly testFiles: readonly DataFile[];
  readonly parameters: readonly ParameterSlot[];
  /** Training graph, forward graph. */
  readonly graphBytes: number;
  readonly forwardBytes: number;
  /** What this machine computes, on one thread. */
  readonly seconds: {
    /** One optimizer step of `batchSize · accumulate` rows. */
    readonly step: number;
    /** To make the training graph ready, once in a function. */
    readonly load: number;
    readonly plan: number;
    readonly release: number;
  };
}

export interface Workload {
  readonly shards: number;
  /** Updates that close a round once the others are lost. */
  readonly quorum: number;
  readonly mergers: number;
  readonly staleness: number;
  readonly plan: RoundPlan;
  /** Whether a merge reads the state before it, and shards parameters alone. */
  readonly mergesIntoState: boolean;
  readonly rows: number;
  readonly files: readonly DataFile[];
  readonly testFiles: readonly DataFile[];
  readonly graphBytes: number;
  readonly forwardBytes: number;
  readonly bytes: Exchange['bytes'];
  readonly seconds: Job['seconds'] & Exchange['seconds'];
}

/**
 * @param spec the job's, perhaps with other shards or another strategy
 * @param exchange of that spec
 */
export function workloadOf(job: Job, spec: TrainSpec, exchange: Exchange): Workload {
  const { files, parameters } = job;
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  const strategy = strategyOf(spec);
  const plan = planRounds({ ...spec, rows, localSteps: strategy.localSteps });
  // Where a shard has fewer rows than its batches would hold, steps are smaller.
  const rowsPerStep = rows / spec.shards / plan.stepsPerEpoch;
  const step = job.seconds.step * Math.min(1, rowsPerStep / (spec.batchSize * spec.accumulate));
  return {
    shards: spec.shards,
    quorum: Math.min(spec.quorum ?? spec.shards, spec.shards),
    mergers: slicesOf(parameters, strategy.mergers).length,
    staleness: strategy.staleness,
    plan,
    mergesIntoState: strategy.sends !== 'state',
    rows,
    files,
    testFiles: job.testFiles,
    graphBytes: job.graphBytes,
    forwardBytes: job.forwardBytes,
    bytes: exchange.bytes,
    seconds: { ...job.seconds, ...exchange.seconds, step },
  };
}

/** Bytes that all rounds exchange: what a job's own count says, of which a round in the middle has the most. */
export function trafficOfWorkload({ shards, mergers, plan, mergesIntoState, bytes }: Workload): Traffic {
  const { rounds } = plan;
  const start = bytes.model === 0 ? bytes.state : bytes.model;
  const names = mergers > 1 ? mergers * bytes.file : 0;
  const before = mergesIntoState ? bytes.state : 0;
  return {
    up: rounds * shards * (bytes.update + bytes.residual),
    down: rounds * shards * start + (rounds - 1) * shards * bytes.residual,
    mergeRead: rounds * (shards * (bytes.update + names) + before),
    mergeWritten: rounds * (bytes.state + bytes.model),
  };
}

/** Function-seconds that steps alone take: what no number of shards makes less. */
export const computeSeconds = ({ shards, plan, seconds }: Workload): number =>
  shards * plan.steps * seconds.step;
