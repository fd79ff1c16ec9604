/** Executions as bars: each with a beginning of its own. */
import type { Ran } from '../contracts/timeline.ts';
import type { TaskMeter } from '../contracts/usage.ts';

/** What a commit has of a meter; all of it of what wrote none. */
type Metered = { readonly [Key in keyof TaskMeter]?: TaskMeter[Key] | undefined };

/** A meter's executions by the clock; of one that tells none, all of them as one. */
export function ranOf(meter: Metered | undefined): Ran[] {
  const { startedAt, usage, executions } = meter ?? {};
  if (startedAt === undefined) return [];
  const since = Date.parse(startedAt);
  return (executions ?? [{ at: 0, seconds: usage?.functionSeconds ?? 0 }]).map(({ at, ...rest }) => ({
    startedAt: new Date(since + at * 1000).toISOString(),
    ...rest,
  }));
}
