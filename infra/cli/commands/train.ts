import { Command, Option } from 'commander';
import type { CascadeRequest } from '../../../core/contracts/cascade.ts';
import type { JobResult, TrainRequest } from '../../../core/contracts/job.ts';
import type { Gate } from '../../../core/contracts/metric.ts';
import type { RoutingDefaults } from '../../../core/contracts/routing-defaults.ts';
import { readManifest } from '../../../core/datasets/read.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { putBlob } from '../../../core/storage/blobs.ts';
import { type BuilderOptions, modelForDataset, withBuilder } from '../builders.ts';
import { connect, connectStore } from '../connection.ts';
import { modelFile } from '../model-file.ts';
import { headline, printJson } from '../output.ts';
import { progressLine, trafficLine } from '../progress.ts';
import { type ConnectionOptions, notNegative, wholeNumber, withConnection } from './options.ts';
import { cascade } from './train/cascade.ts';
import { type FineTuningOptions, withFineTuning } from './train/fine-tuning.ts';
import { gate } from './train/gate.ts';
import { routing } from './train/routing.ts';
import { modelName } from './train/model-name.ts';
import { type LimitOptions, limitsOf, withLimits } from './train/limits.ts';
import { DEFAULT_INPUT, inputMapping, type InputMapping, mappedInputs, NO_INPUTS } from './train/inputs.ts';
import { lastLayer, type LossOptions, lossSpec, withLoss } from './train/loss.ts';
import { optimization, type OptimizerOptions, withOptimizer } from './train/optimizer.ts';
import { strategy, type StrategyOptions, withStrategy } from './train/strategy.ts';

interface TrainOptions
  extends
    ConnectionOptions,
    LimitOptions,
    OptimizerOptions,
    BuilderOptions,
    FineTuningOptions,
    LossOptions,
    StrategyOptions {
  readonly data: string;
  readonly model?: string;
  readonly input: InputMapping;
  readonly epochs: number;
  readonly batchSize: number;
  readonly shards: number;
  readonly quorum?: number;
  readonly channel: string;
  readonly gate?: Gate;
  /** True: with the tolerance that the job's schema has. */
  readonly int8?: number | true;
  readonly routing?: RoutingDefaults;
  readonly cascade?: CascadeRequest;
  readonly detach?: boolean;
}

const SEED = wholeNumber(0, 0xffff_ffff);

export function trainCommand(): Command {
  const command = withLoss(withFineTuning(new Command('train')))
    .description('train a model on the fleet and release it')
    .argument('[name]', 'name of the model (default: that of the file, or of the dataset)')
    .requiredOption('--data <name[@version]>', 'dataset to train on')
    .option('--model <file.onnx>', 'forward ONNX graph (default: one built for the data)')
    .addOption(
      new Option(
        '--input <[input=]tensor>',
        'dataset tensor the model reads; of several inputs, one each time',
      )
        .argParser(inputMapping)
        .default(NO_INPUTS, `"${DEFAULT_INPUT}"`),
    )
    .option('--epochs <n>', 'passes over the data', wholeNumber(1, 10_000), 5)
    .option('--batch-size <n>', 'rows per step', wholeNumber(1, 65_536), 64)
    .option('--shards <n>', 'shards trained side by side', wholeNumber(1, 1_000), 4)
    .option('--quorum <n>', 'shards that close a round once the others are lost', wholeNumber(1, 1_000))
    .option('--seed <n>', 'of initialisation and shuffling', SEED, 0)
    .option('--channel <name>', 'channel that serves the release', 'stable')
    .option('--gate <figure>', 'release only at this test metric: 0.97 (accuracy), mae<=0.3, f1>=0.9', gate)
    .option(
      '--int8 [tolerance]',
      'also release 8-bit weights, if the metric loses at most so much (default: 0.005)',
      notNegative,
    )
    .option('--routing <json>', 'where its requests go, docs/routing.md: {"exclude":["cloud"]}', routing)
    .option(
      '--cascade <list>',
      'ask a larger model in the cloud about hard rows: threshold=0.9, large=digits-large',
      cascade,
    )
    .option('--detach', 'do not wait for the end');
  return withBuilder(withConnection(withLimits(withOptimizer(withStrategy(command))))).action(train);
}

async function train(given: string | undefined, options: TrainOptions): Promise<void> {
  const [dataset = '', version] = options.data.split('@');
  const name = modelName(given, options.model, dataset);
  const [client, store] = await Promise.all([connect(options), connectStore(options)]);
  const manifest = await readManifest(
    store,
    dataset,
    version === undefined ? undefined : wholeNumber(1, Number.MAX_SAFE_INTEGER)(version),
  );
  const graph =
    options.model === undefined
      ? modelForDataset(
          manifest,
          options.input.single ?? DEFAULT_INPUT,
          options,
          lastLayer(options, manifest),
        )
      : await modelFile(options.model, '--model');
  const { inputs, outputs } = signatureOf(decodeModel(graph));
  const { init, lora } = options;
  const updates = optimization(options);
  const spec: TrainRequest = {
    kind: 'train',
    model: { name, graph: await putBlob(store, graph) },
    dataset: { name: dataset, version: manifest.version },
    inputs: mappedInputs(options.input, inputs),
    loss: lossSpec(options, outputs),
    ...updates,
    parameters: { ...updates.parameters, ...(init === undefined ? {} : { initialize: [...init] }) },
    ...(lora === undefined ? {} : { lora }),
    epochs: options.epochs,
    batchSize: options.batchSize,
    shards: options.shards,
    ...strategy(options),
    ...(options.quorum === undefined ? {} : { quorum: options.quorum }),
    ...limitsOf(options),
    seed: options.seed,
    release: {
      channel: options.channel,
      ...(options.gate === undefined ? {} : { gate: options.gate }),
      ...(options.int8 === undefined
        ? {}
        : { int8: options.int8 === true ? {} : { tolerance: options.int8 } }),
      ...(options.routing === undefined ? {} : { routing: options.routing }),
      ...(options.cascade === undefined ? {} : { cascade: options.cascade }),
    },
  };
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
    const traffic = trafficLine(await client.job(created.job));
    if (traffic !== undefined) console.log(traffic);
  }
  if (result.status !== 'succeeded') process.exitCode = 1;
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
