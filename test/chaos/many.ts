/** Runs jobs of many seeds and says what happened to them. */
import { emptyTally, type Tally } from './course.ts';
import { difference, nameOf, runJob } from './run.ts';

export interface Failure {
  readonly seed: number;
  readonly reason: string;
}

export interface Summary {
  readonly jobs: number;
  readonly failures: readonly Failure[];
  readonly tally: Tally;
  /** Virtual: of all the jobs together. */
  readonly seconds: number;
}

export async function runSeeds(
  seeds: readonly number[],
  onEach: (seed: number, failure?: string) => void = () => undefined,
): Promise<Summary> {
  const undisturbed = new Map<string, ReturnType<typeof runJob>>();
  const failures: Failure[] = [];
  const total = emptyTally();
  let seconds = 0;
  for (const seed of seeds) {
    const name = nameOf(seed);
    const expected = undisturbed.get(name) ?? runJob(name, undefined);
    undisturbed.set(name, expected);
    let reason: string | undefined;
    try {
      const course = await runJob(name, seed);
      reason = difference(course, await expected);
      add(total, course.tally);
      seconds += course.seconds;
    } catch (thrown) {
      reason = thrown instanceof Error ? thrown.message : String(thrown);
    }
    if (reason !== undefined) failures.push({ seed, reason });
    onEach(seed, reason);
  }
  return { jobs: seeds.length, failures, tally: total, seconds };
}

function add(total: Tally, { faults, ...counts }: Tally): void {
  for (const name of Object.keys(counts) as (keyof typeof counts)[]) total[name] += counts[name];
  for (const [name, n] of faults) total.faults.set(name, (total.faults.get(name) ?? 0) + n);
}

const percent = (part: number, of: number) => `${((100 * part) / of).toFixed(1)} %`;

/** For people. */
export function describe({ jobs, failures, tally, seconds }: Summary): string {
  const { deliveries, killed, duplicates, atOnce, setAside, revived, faults } = tally;
  return [
    `${jobs} jobs, ${jobs - failures.length} ended with the bytes of the undisturbed one`,
    `${deliveries} deliveries: ${percent(killed, deliveries)} killed, ${percent(duplicates, deliveries)} handed out twice, ` +
      `${percent(atOnce, deliveries)} begun while others were at work`,
    `${setAside} messages set aside after their fifth delivery; ${revived} times the sweep announced a job again`,
    ...[...faults].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, n]) => `  ${n} × ${name}`),
    `virtual time: ${(seconds / jobs / 60).toFixed(1)} min a job`,
    ...failures.map(
      ({ seed, reason }) => `seed ${seed}: ${reason}\n  again: npm run test:chaos -- --seed ${seed}`,
    ),
  ].join('\n');
}
