import { Command, Option } from 'commander';
import type { JobResult, TrainRequest } from '../../../core/contracts/job.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { connect, connectStore } from '../connection.ts';
import { headline, printJson } from '../output.ts';
import { forecast, type PlatformName, placeOf, PLATFORMS, predictedOf } from '../planning/predict.ts';
import { lostLines, progressLine, spentLines, trafficLine } from '../progress.ts';
import { type JobOptions, jobRequest, withJob } from './train/job.ts';

interface TrainOptions extends JobOptions {
  readonly detach?: boolean;
  readonly predict?: PlatformName;
}

export function trainCommand(): Command {
  return withJob(new Command('train').description('train a model on the fleet and release it'))
    .optionsGroup('Of the command:')
    .addOption(
      new Option(
        '--predict <platform>',
        'say what it will take first, and keep that beside what is metered',
      ).choices(PLATFORMS),
    )
    .option('--detach', 'do not wait for the end')
    .action(train);
}

async function train(given: string | undefined, options: TrainOptions): Promise<void> {
  const [client, store] = await Promise.all([connect(options), connectStore(options)]);
  const spec = await withPrediction(await jobRequest(given, options, store), options, store);
  const { name } = spec.model;
  const created = await client.createJob(spec);
  if (options.detach === true) {
    if (options.json === true) printJson(created);
    else console.log(created.job);
    return;
  }
  if (options.json !== true) console.log(`job ${created.job}`);
  const live = process.stdout.isTTY;
  let shown = -1;
  const result = await client.follow(created.job, (job) => {
    // A terminal redraws one line; a log gets one line a round.
    if (options.json === true || (!live && job.round === shown)) return;
    shown = job.round;
    process.stdout.write(live ? `\r\u001b[K${progressLine(job)}` : `${progressLine(job)}\n`);
  });
  if (options.json === true) printJson(result);
  else {
    console.log(`${live ? '\n' : ''}${outcome(name, result)}`);
    const job = await client.job(created.job);
    for (const line of lostLines(job)) console.log(line);
    const traffic = trafficLine(job);
    if (traffic !== undefined) console.log(traffic);
    for (const line of spentLines(job)) console.log(line);
  }
  if (result.status !== 'succeeded') process.exitCode = 1;
}

/** With `--predict`, the job as its planner saw it. */
async function withPrediction(
  spec: TrainRequest,
  options: TrainOptions,
  store: ObjectStore,
): Promise<TrainRequest> {
  if (options.predict === undefined) return spec;
  const place = await placeOf(options.predict, store, options);
  const { rows } = await forecast(store, spec, place, { shards: [options.shards] });
  const [prediction] = rows;
  return prediction === undefined ? spec : { ...spec, predicted: predictedOf(prediction) };
}

export function outcome(model: string, result: JobResult): string {
  switch (result.status) {
    case 'succeeded': {
      const figure = headline(result.metrics);
      const omitted = result.omitted === undefined ? '' : `; no int8 variant: ${result.omitted.int8}`;
      return `released ${model} ${result.release}${figure === undefined ? '' : `, test ${figure}`}${omitted}`;
    }
    case 'failed':
      return `failed: ${result.reason}`;
    case 'cancelled':
      return 'cancelled';
    case 'stopped':
      return `stopped after round ${result.rounds}: ${result.reason}`;
  }
}
