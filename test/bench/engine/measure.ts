/**
 * Timings of several contenders taken in turns, so that what disturbs the machine disturbs all of them. Time is the
 * process's CPU time, all its threads together: on an idle machine that of the clock, on a busy one still its own.
 */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round((sorted.length - 1) * share)] ?? NaN;
  return { median: at(0.5), min: at(0), max: at(1) };
}

export interface Contender {
  readonly name: string;
  /** Works for at least so many milliseconds. @returns milliseconds of one unit of its work */
  readonly turn: (milliseconds: number) => Promise<number>;
}

export interface Turns {
  /** Every contender once per round: A B C A B C … */
  readonly rounds: number;
  /** How long a contender works in a round, at least. */
  readonly milliseconds: number;
}

/** Milliseconds before the first round, in which runtimes allocate and compile. */
const WARM_UP = 1000;

/** @returns name → milliseconds of one unit of work, of each round */
export async function takeTurns(
  contenders: readonly Contender[],
  { rounds, milliseconds }: Turns,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (const { turn } of contenders) await turn(WARM_UP);
  for (let round = 0; round < rounds; round++)
    for (const { name, turn } of contenders) times.get(name)?.push(await turn(milliseconds));
  return times;
}

/** A turn that repeats a function. */
export const repeat = (run: () => Promise<unknown>) => async (milliseconds: number) => {
  const before = process.cpuUsage();
  let runs = 0;
  let elapsed = 0;
  do {
    await run();
    runs++;
    const { user, system } = process.cpuUsage(before);
    elapsed = (user + system) / 1000;
  } while (elapsed < milliseconds);
  return elapsed / runs;
};

/** Round by round, so that a slow moment counts on both sides. */
export function ratios(of: readonly number[], to: readonly number[]): Spread {
  return spread(of.map((value, round) => value / to[round]!));
}
