/** How a job's work is cut: rows into shards, steps into rounds. Pure arithmetic; every task derives the same. */

export interface Range {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Part `index` of `total` things cut into `parts` runs that differ by at most one in length. */
export function part(total: number, parts: number, index: number): Range {
  return {
    start: Math.floor((index * total) / parts),
    end: Math.floor(((index + 1) * total) / parts),
  };
}

export interface RoundPlan {
  /** Optimizer steps of one shard in one epoch: every shard takes the same number, whatever its rows. */
  readonly stepsPerEpoch: number;
  /** Steps of one shard over the whole job. */
  readonly steps: number;
  /** Steps of one shard in one round; the last round may be shorter. */
  readonly localSteps: number;
  readonly rounds: number;
}

/** @param rows of the train split, at least `shards` */
export function planRounds(options: {
  readonly rows: number;
  readonly shards: number;
  readonly batchSize: number;
  /** Batches to an optimizer step. */
  readonly accumulate: number;
  readonly epochs: number;
  readonly localSteps: number;
}): RoundPlan {
  const largestShard = Math.ceil(options.rows / options.shards);
  const smallestShard = Math.floor(options.rows / options.shards);
  // No more steps than the smallest shard has rows: each step has at least one.
  const rowsPerStep = options.batchSize * options.accumulate;
  const stepsPerEpoch = Math.min(Math.ceil(largestShard / rowsPerStep), smallestShard);
  const steps = stepsPerEpoch * options.epochs;
  const localSteps = Math.min(options.localSteps, steps);
  return { stepsPerEpoch, steps, localSteps, rounds: Math.ceil(steps / localSteps) };
}

/** The steps `[start, end)` that each shard takes in a round. */
export function stepsOfRound(plan: RoundPlan, round: number): Range {
  return { start: round * plan.localSteps, end: Math.min((round + 1) * plan.localSteps, plan.steps) };
}
