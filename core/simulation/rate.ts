/** A rate over time: requests a second at points in time, in a straight line between two of them. */

/** Time in milliseconds and requests a second; before the first point and after the last the rate stays. */
export type Rate = readonly (readonly [atMs: number, perSecond: number])[];

/** A stretch in which the rate goes in a straight line. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  /** Requests a millisecond at its beginning, and how much that grows each millisecond. */
  readonly perMs: number;
  readonly slope: number;
}

/** Requests a second. */
export function rateAt(rate: Rate, at: number): number {
  const next = rate.findIndex(([time]) => time > at);
  if (next === -1) return rate.at(-1)?.[1] ?? 0;
  if (next === 0) return rate[0]![1];
  const [[from, low], [to, high]] = [rate[next - 1]!, rate[next]!];
  return low + ((high - low) * (at - from)) / (to - from);
}

/** @returns how many requests it comes to between two times, its integral: not a whole number */
export function requestsBetween(rate: Rate, fromMs: number, toMs: number): number {
  return stretchesOf(rate, fromMs, toMs).reduce((sum, stretch) => sum + requestsIn(stretch), 0);
}

/**
 * Times at which the integral of the rate reaches `phase`, `phase + 1`, `phase + 2`, …: evenly spaced where the rate is
 * constant, closer where it is higher, none where it is 0.
 * @param phase 0 to 1, so that streams need not begin together
 */
export function evenTimes(rate: Rate, endMs: number, phase: number): number[] {
  const times: number[] = [];
  /** Requests until the next one, from the beginning of the stretch. */
  let left = phase;
  for (const stretch of stretchesOf(rate, 0, endMs)) {
    const { fromMs, toMs, perMs, slope } = stretch;
    const requests = requestsIn(stretch);
    for (; left < requests; left += 1) {
      // perMs·x + slope·x²/2 = left, in the form that divides by no slope of 0 and subtracts nothing alike.
      const root = Math.sqrt(Math.max(0, perMs * perMs + 2 * slope * left));
      // Both are 0 at the very beginning of a rise from 0.
      const after = perMs + root === 0 ? 0 : (2 * left) / (perMs + root);
      times.push(Math.min(fromMs + after, toMs));
    }
    left -= requests;
  }
  return times;
}

const requestsIn = ({ fromMs, toMs, perMs, slope }: Stretch): number =>
  (toMs - fromMs) * (perMs + (slope * (toMs - fromMs)) / 2);

/** The stretches between two times, none of no length. */
function stretchesOf(rate: Rate, fromMs: number, toMs: number): Stretch[] {
  const inside = rate.map(([at]) => at).filter((at) => at > fromMs && at < toMs);
  const bounds = [...new Set([fromMs, ...inside, toMs])];
  return bounds.slice(1).map((to, i) => {
    const from = bounds[i]!;
    const perMs = rateAt(rate, from) / 1000;
    // At a step the rate at `to` is that after it: what it was before follows from the middle.
    const middle = rateAt(rate, (from + to) / 2) / 1000;
    return { fromMs: from, toMs: to, perMs, slope: (2 * (middle - perMs)) / (to - from) };
  });
}
