/** A job on a platform, predicted by running its protocol in virtual time: seeded, so that the same seed says the same. */
import type { Traffic } from '../contracts/job.ts';
import type { Spent, Usage } from '../contracts/usage.ts';
import { dollars } from '../costs/prices.ts';
import { addUsage } from '../costs/usage.ts';
import { createRandom } from '../random.ts';
import { createTimeline } from '../simulation/events.ts';
import { createFunctions, type Functions } from './functions.ts';
import type { Platform } from './platform.ts';
import { protocol } from './protocol.ts';
import type { SimulatedTask } from './protocol/course.ts';
import { computeSeconds, trafficOfWorkload, type Workload } from './workload.ts';

/** Rounds in the middle of a job are alike: of a longer one so many are run, and those left out are counted like them. */
const MOST_ROUNDS = 150;

export interface Prediction {
  readonly shards: number;
  readonly rounds: number;
  /** From the request to the release. */
  readonly seconds: number;
  /** Everything that is paid, and as much of it as the job's own meter counts (cloud/training/metering.ts). */
  readonly spent: Spent;
  readonly metered: Spent;
  readonly bytes: Traffic;
  /** Of the function-seconds, what steps alone take. */
  readonly computeSeconds: number;
  readonly coldStarts: number;
  /** Backup copies of slow shards. */
  readonly copies: number;
}

/** @throws RangeError where the job does not end: no function survives */
export function simulate(workload: Workload, platform: Platform, seed: number): Prediction {
  const { plan, shards } = workload;
  const rounds = Math.min(plan.rounds, Math.max(MOST_ROUNDS, 4 * (workload.staleness + 1)));
  const timeline = createTimeline();
  const { course, work } = protocol(workload, platform, rounds, () => fleet);
  const fleet: Functions<SimulatedTask> = createFunctions(
    platform,
    timeline,
    createRandom(seed, shards),
    work,
  );
  fleet.enqueue({ kind: 'plan' });
  timeline.run();
  const { endedAt } = course;
  if (endedAt === undefined) throw new RangeError(`the job of ${shards} shards does not end`);

  // By the second half of those that were run, as the first ones wait for functions to start, and without the last, which is shorter.
  const left = plan.rounds - rounds;
  const [half, last] = [Math.floor(rounds / 2), rounds - 2];
  const share = left === 0 ? 0 : left / (last - half);
  const between = (of: (round: number) => number) => share * (of(last) - of(half));
  const more = (of: readonly Usage[]): Usage => {
    const grows = (part: (usage: Usage) => number) => between((round) => part(of[round]!));
    return {
      functionSeconds: grows((usage) => usage.functionSeconds),
      gbSeconds: grows((usage) => usage.gbSeconds),
      invocations: Math.round(grows((usage) => usage.invocations)),
      queueRequests: Math.round(grows((usage) => usage.queueRequests)),
      writes: Math.round(grows((usage) => usage.writes)),
      reads: Math.round(grows((usage) => usage.reads)),
    };
  };
  const spent = (...parts: readonly Usage[]): Spent => {
    const usage = addUsage(...parts);
    return { ...usage, dollars: dollars(usage, platform.prices) };
  };
  return {
    shards,
    rounds: plan.rounds,
    seconds: endedAt + (left === 0 ? 0 : between((round) => course.rounds[round]!.committedAt!)),
    spent: left === 0 ? spent(fleet.usage()) : spent(fleet.usage(), more(course.usageAt)),
    metered: left === 0 ? spent(...course.metered) : spent(...course.metered, more(course.meteredAt)),
    bytes: trafficOfWorkload(workload),
    computeSeconds: computeSeconds(workload) / platform.speed,
    coldStarts: fleet.counts.coldStarts,
    copies: course.copies,
  };
}
