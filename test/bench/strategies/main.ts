/**
 * `npm run bench:strategies [-- <part of a row's name>]`: MNIST on 8 shards by every strategy and compression, those
 * that contend by three seeds: test accuracy, the bytes of the objects that tasks exchange, and the time and money that `causeway plan`
 * predicts for AWS. Rows go through the fleet's own handlers over a store and a queue in this process, the baseline
 * through what they are made of (all-reduce.ts). Ends with an error where no row moves 200 times fewer bytes than
 * per-step averaging at 0.3 points lost, by each of the seeds.
 */
import type { Prediction } from '../../../core/planning/simulate.ts';
import { ACCURACY_GOAL } from '../../../infra/cli/mnist.ts';
import { count, duration, percent, table } from '../../../infra/cli/output.ts';
import { BATCH, EPOCHS, type Outcome, SHARDS } from './job.ts';
import { predict } from './predict.ts';
import { BASELINES, type Row, ROWS } from './rows.ts';
import { runAll } from './run.ts';

const MOST_POINTS_LOST = 0.3;
const TIMES_FEWER = 200;

interface Measured {
  readonly row: Row;
  /** By seed. */
  readonly outcomes: readonly Outcome[];
  readonly predicted: Prediction;
}

const wanted = process.argv[2] ?? '';
const rows = [...BASELINES, ...ROWS.filter(({ name }) => name.includes(wanted))];

const predictions = await predict(rows);
const outcomes: Outcome[][] = rows.map(() => []);
const orders = rows.flatMap((row, i) =>
  Array.from({ length: row.seeds }, (_, seed) => ({ id: i * 100 + seed, row, seed })),
);
await runAll(orders, ({ row, seed }, { seconds, ...outcome }) => {
  outcomes[rows.indexOf(row)]![seed] = outcome;
  console.error(`${row.name}, seed ${seed}: ${percent(outcome.accuracy)} in ${duration(seconds)}`);
});
const measured = rows.map((row, i): Measured => ({
  row,
  outcomes: outcomes[i]!,
  predicted: predictions[i]!,
}));

const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
const accuracy = (of: Measured) => mean(of.outcomes.map((outcome) => outcome.accuracy));
const baseline = measured[0]!;
/** Points, by seed. */
const lost = ({ outcomes: all }: Measured) =>
  all.map((outcome, seed) => (baseline.outcomes[seed]!.accuracy - outcome.accuracy) * 100);
const bytes = ({ outcomes: [first] }: Measured) => first!.bytes;
const moved = (of: Measured) => bytes(of).up + bytes(of).down;
const merges = (of: Measured) => bytes(of).mergeRead + bytes(of).mergeWritten;
const all = (of: Measured) => moved(of) + merges(of);
const fewer = (of: Measured, what: (each: Measured) => number) => what(baseline) / what(of);
const mega = (total: number) => (total / EPOCHS / 1e6).toFixed(2);

console.log(
  `MNIST, 784-128-10, batches of ${BATCH} unless said, ${EPOCHS} epochs, ${SHARDS} shards; MB = 10⁶ bytes per epoch; ` +
    'TIME and $ of the job on AWS as predicted',
);
console.log(
  table(
    [
      'STRATEGY',
      'SEEDS',
      'ACCURACY',
      'LOST',
      'AT MOST',
      'ROUNDS',
      'UP',
      'DOWN',
      'FEWER',
      'MERGES',
      'IN ALL',
      'TIME',
      '$',
    ],
    measured.map((each) => [
      each.row.name,
      each.row.seeds,
      percent(accuracy(each)),
      mean(lost(each)).toFixed(2),
      Math.max(...lost(each)).toFixed(2),
      each.outcomes[0]!.rounds,
      mega(bytes(each).up),
      mega(bytes(each).down),
      `${count(fewer(each, moved))} ×`,
      mega(merges(each)),
      `${count(fewer(each, all))} ×`,
      duration(each.predicted.seconds),
      each.predicted.spent.dollars.toPrecision(2),
    ]),
  ),
);
const good = measured.filter(
  (each) =>
    each.row.seeds > 1 &&
    each.outcomes.every((outcome) => outcome.accuracy >= ACCURACY_GOAL) &&
    Math.max(...lost(each)) <= MOST_POINTS_LOST &&
    fewer(each, moved) >= TIMES_FEWER &&
    fewer(each, all) >= TIMES_FEWER,
);
console.log(
  `${TIMES_FEWER} times fewer bytes at ${MOST_POINTS_LOST} points and at least ${percent(ACCURACY_GOAL)}, by each of several seeds: ` +
    (good.length === 0 ? 'none' : good.map(({ row }) => row.name).join(' | ')),
);
if (good.length === 0) process.exitCode = 1;
