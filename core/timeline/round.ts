/** When the shards of a round ran: of a closed round as its commit tells, of an open one as the bucket does. Pure. */
import type { JobPlan, RoundCommit } from '../contracts/job.ts';
import type { TimelineRound, TimelineShard } from '../contracts/timeline.ts';
import { ranOf } from './ran.ts';
import type { RoundTraces } from './traces.ts';

/**
 * @param commits of all rounds that are closed, in order
 * @param traces undefined where the commit has all shards, and so tells all
 */
export function timelineRound(
  plan: JobPlan,
  commits: readonly RoundCommit[],
  round: number,
  traces?: RoundTraces,
): TimelineRound {
  const commit = commits[round];
  // Rounds that overlap are announced when as many are left as may be under way.
  const before = commits[round - 1 - (plan.staleness ?? 0)];
  const mergeSeconds = commit && mergeTook(plan, commit, commits[round - 1]);
  return {
    round,
    announcedAt: before?.committedAt ?? plan.plannedAt,
    shards: plan.shards.map((_, shard) => shardOf(shard, commit, traces)),
    ...(mergeSeconds === undefined ? {} : { mergeSeconds }),
    mergers: plan.slices?.length ?? 1,
    ...(commit === undefined ? {} : { committedAt: commit.committedAt }),
  };
}

/** What was spent up to this commit, but for what was up to the one before and by this round's shards. */
function mergeTook(
  plan: JobPlan,
  { shards, spent }: RoundCommit,
  before: RoundCommit | undefined,
): number | undefined {
  if (spent === undefined) return undefined;
  const earlier = before === undefined ? plan.usage : before.spent;
  const seconds = shards.reduce(
    (left, { usage }) => left - (usage?.functionSeconds ?? 0),
    spent.functionSeconds - (earlier?.functionSeconds ?? 0),
  );
  return Math.max(0, Math.round(seconds * 1000) / 1000);
}

function shardOf(
  shard: number,
  commit: RoundCommit | undefined,
  traces: RoundTraces | undefined,
): TimelineShard {
  const member = commit?.shards.find((each) => each.shard === shard);
  if (member !== undefined) return { shard, state: 'done', ran: ranOf(member), samples: member.samples };
  const update = traces?.updates.get(shard);
  const lost = traces?.lost.get(shard);
  const told = update ?? traces?.checkpoints.get(shard);
  return {
    shard,
    state: stateOf(commit !== undefined, update !== undefined, lost !== undefined),
    ran: ranOf(told?.meter),
    ...(update === undefined ? {} : { writtenAt: update.at.toISOString() }),
    ...(lost === undefined ? {} : { reason: lost.reason }),
  };
}

function stateOf(closed: boolean, there: boolean, lost: boolean): TimelineShard['state'] {
  if (there) return closed ? 'late' : 'done';
  if (lost) return 'lost';
  return closed ? 'missing' : 'open';
}
