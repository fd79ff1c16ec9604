import { Command, InvalidArgumentError, Option } from 'commander';
import type { TrainRequest } from '../../../core/contracts/job.ts';
import { requestsOf } from '../../../core/costs/usage.ts';
import { functionsFor, shares } from '../../../core/planning/capacity.ts';
import { C7G_MEDIUM, type Platform } from '../../../core/planning/platform.ts';
import type { Prediction } from '../../../core/planning/simulate.ts';
import { connectStore } from '../connection.ts';
import { count, duration, megabytes, percent, printJson, table } from '../output.ts';
import { overlay } from '../planning/overlay.ts';
import { type Comparison, compare, placeOf, type PlatformName, PLATFORMS } from '../planning/predict.ts';
import { decimal, wholeNumber } from './options.ts';
import { comparedStrategies, strategyName } from './plan/strategies.ts';
import { type JobOptions, jobRequest, withJob } from './train/job.ts';

const SHARDS = [1, 2, 4, 8, 16, 32, 64, 128];
const shard = wholeNumber(1, 1_000);

interface PlanOptions extends Omit<JobOptions, 'shards'> {
  readonly shards: readonly number[];
  readonly platform: PlatformName;
  readonly stepMs?: number;
  readonly functions?: number;
  readonly speed?: number;
}

export function planCommand(): Command {
  const command = withJob(
    new Command('plan').description(
      'what a training job would take, by strategies and numbers of shards; nothing is started',
    ),
    new Option('--shards <list>', 'numbers of shards to compare')
      .argParser(shardsOf)
      .default(SHARDS, SHARDS.join()),
  );
  return command
    .optionsGroup('Of the prediction:')
    .addOption(
      new Option('--platform <name>', 'AWS by published figures, or the stack that runs here, measured')
        .choices(PLATFORMS)
        .default('aws'),
    )
    .option('--step-ms <n>', 'of one optimizer step (default: measured here)', decimal(0, 1e7))
    .option('--functions <n>', 'functions at once', wholeNumber(1, 1_000))
    .option('--speed <x>', 'times that a function is as fast as this machine', decimal(0, 1_000))
    .action(plan);
}

function shardsOf(text: string): number[] {
  const numbers = text.split(',').map((part) => shard(part.trim() === '' ? 'none' : part));
  if (new Set(numbers).size < numbers.length) throw new InvalidArgumentError('Each number once.');
  return numbers.sort((a, b) => a - b);
}

async function plan(given: string | undefined, options: PlanOptions): Promise<void> {
  const store = await connectStore(options);
  // The model's graph is written for nobody.
  const seen = overlay(store);
  const requests: TrainRequest[] = [];
  for (const each of comparedStrategies({ ...options, shards: 1 }))
    requests.push(await jobRequest(given, each, seen));
  const place = await placeOf(options.platform, store, options);
  const stepSeconds = options.stepMs === undefined ? undefined : options.stepMs / 1000;
  const result = await compare(seen, requests, place, { shards: options.shards, stepSeconds });
  const { job, alone, work } = result;
  const rows = rowsOf(result);
  const marks = marksOf(rows, options.deadline);
  const estimate = options.deadline === undefined ? undefined : functionsFor(work, options.deadline);
  if (options.json === true)
    return printJson({
      platform: place.platform.name,
      stepSeconds: job.seconds.step,
      strategies: result.forecasts.map(({ spec, exchange, rows: predictions }) => ({
        strategy: spec.strategy,
        ...(spec.compression === undefined ? {} : { compression: spec.compression }),
        bytes: exchange.bytes,
        rows: predictions.map((row) => ({ ...row, marks: marks(row) })),
      })),
      oneMachine: { name: C7G_MEDIUM.name, ...alone },
      ...(estimate === undefined ? {} : { firstEstimate: estimate }),
    });
  const source = options.stepMs === undefined ? 'measured here' : 'as given';
  console.log(
    `simulated on ${place.platform.name}; a step takes ${milliseconds(job.seconds.step)} (${source})`,
  );
  for (const line of measuredRequests(place.platform)) console.log(line);
  console.log();
  console.log(
    table(
      ['STRATEGY', 'SHARDS', 'ROUNDS', 'TIME', 'FUNCTIONS', 'MOVED', 'REQUESTS', 'DOLLARS', ''],
      result.forecasts.flatMap(({ spec, rows: predictions }) =>
        predictions.map((row) => [
          strategyName(spec),
          row.shards,
          row.rounds,
          duration(row.seconds),
          duration(row.spent.functionSeconds),
          megabytes(Object.values(row.bytes).reduce((sum, bytes) => sum + bytes, 0)),
          count(requestsOf(row.spent)),
          money(row.spent.dollars),
          marks(row).join(', '),
        ]),
      ),
    ),
  );
  console.log();
  for (const line of remarks(rows, result, options.deadline)) console.log(line);
}

const rowsOf = ({ forecasts }: Comparison): Prediction[] => forecasts.flatMap(({ rows }) => rows);

/** Of equals the first one. */
function marksOf(rows: readonly Prediction[], deadline: number | undefined): (row: Prediction) => string[] {
  const least = (of: (row: Prediction) => number, among = rows) =>
    among.reduce<Prediction | undefined>(
      (best, row) => (best === undefined || of(row) < of(best) ? row : best),
      undefined,
    );
  const cheapest = least(({ spent }) => spent.dollars);
  const fastest = least(({ seconds }) => seconds);
  const inTime = deadline === undefined ? [] : rows.filter(({ seconds }) => seconds <= deadline);
  const fewest = least(({ shards }) => shards, inTime);
  return (row) => [
    ...(row === cheapest ? ['cheapest'] : []),
    ...(row === fastest ? ['fastest'] : []),
    ...(row === fewest ? ['first in time'] : []),
  ];
}

function remarks(
  rows: readonly Prediction[],
  { alone, work }: Comparison,
  deadline: number | undefined,
): string[] {
  const cheapest = Math.min(...rows.map(({ spent }) => spent.dollars));
  const fastest = Math.min(...rows.map(({ seconds }) => seconds));
  const beside = (is: boolean, more: string, less: string) => (is ? more : less);
  return [
    ...(deadline === undefined ? [] : [firstEstimate(work, deadline)]),
    ...(deadline === undefined || fastest <= deadline ? [] : [`none of these ends in ${duration(deadline)}`]),
    `one machine (${C7G_MEDIUM.name}, on demand): ${duration(alone.seconds)}, ${money(alone.dollars)} dollars: ` +
      `${beside(alone.dollars < cheapest, 'cheaper', 'dearer')} than the cheapest, ` +
      `${beside(alone.seconds < fastest, 'faster', 'slower')} than the fastest of these`,
  ];
}

/** Functions of one kind are alike, and there all of the time. */
function firstEstimate(work: number, deadline: number): string {
  const functions = functionsFor(work, deadline);
  const [share] = shares(Array.from({ length: functions }, () => ({ capacity: deadline })));
  return (
    `first estimate: R = Q / C = ${duration(work)} of steps / ${duration(deadline)} = ${functions} ` +
    `function${functions === 1 ? '' : 's'}, each with S = ${percent(share!)} of the rows; rounds and waiting come on top`
  );
}

/** Of a platform that was looked at; what was published is in the documentation. */
function measuredRequests({ name, read, write, send, bytesPerSecond }: Platform): string[] {
  if (name !== 'local') return [];
  const times = { 'to read': read, 'to write': write, 'to the queue': send };
  const requests = Object.entries(times).flatMap(([what, seconds]) =>
    typeof seconds === 'number' ? [`${what} ${milliseconds(seconds)}`] : [],
  );
  const rates = `reads ${megabytes(bytesPerSecond.read)}, writes ${megabytes(bytesPerSecond.written)} a second`;
  return [`a request ${requests.join(', ')}; ${rates} (measured here)`];
}

const money = (dollars: number) => String(Number(dollars.toPrecision(3)));
const milliseconds = (seconds: number) => `${Number((seconds * 1000).toPrecision(3))} ms`;
