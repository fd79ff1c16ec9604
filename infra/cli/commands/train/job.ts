/** A training job as options say it: what `train` starts and `plan` predicts. */
import { type Command, Option } from 'commander';
import type { CascadeRequest } from '../../../../core/contracts/cascade.ts';
import type { TrainRequest } from '../../../../core/contracts/job.ts';
import type { Gate } from '../../../../core/contracts/metric.ts';
import type { RoutingDefaults } from '../../../../core/contracts/routing-defaults.ts';
import { readManifest } from '../../../../core/datasets/read.ts';
import { decodeModel } from '../../../../core/onnx/model.ts';
import { signatureOf } from '../../../../core/onnx/signature.ts';
import { putBlob } from '../../../../core/storage/blobs.ts';
import type { ObjectStore } from '../../../../core/storage/object-store.ts';
import { type BuilderOptions, modelForDataset, withBuilder } from '../../builders.ts';
import { modelFile } from '../../model-file.ts';
import { type DatasetReference, datasetReference } from '../dataset-reference.ts';
import { type ConnectionOptions, notNegative, wholeNumber, withConnection } from '../options.ts';
import { cascade } from './cascade.ts';
import { type FineTuningOptions, withFineTuning } from './fine-tuning.ts';
import { gate } from './gate.ts';
import { DEFAULT_INPUT, inputMapping, type InputMapping, mappedInputs, NO_INPUTS } from './inputs.ts';
import { type LimitOptions, limitsOf, withLimits } from './limits.ts';
import { lastLayer, type LossOptions, lossSpec, withLoss } from './loss.ts';
import { modelName } from './model-name.ts';
import { optimization, type OptimizerOptions, withOptimizer } from './optimizer.ts';
import { routing } from './routing.ts';
import { strategy, type StrategyOptions, withStrategy } from './strategy.ts';

export interface JobOptions
  extends
    ConnectionOptions,
    LimitOptions,
    OptimizerOptions,
    BuilderOptions,
    FineTuningOptions,
    LossOptions,
    StrategyOptions {
  readonly data: DatasetReference;
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
}

const SEED = wholeNumber(0, 0xffff_ffff);

/** A fresh one at each call: commander keeps what it is given. */
const SHARDS = () =>
  new Option('--shards <n>', 'shards trained side by side').argParser(wholeNumber(1, 1_000)).default(4);

/** Adds the options of a job, but for the command's own. */
export function withJob(command: Command, shards = SHARDS()): Command {
  withLoss(withFineTuning(command))
    .argument('[name]', 'name of the model (default: that of the file, or of the dataset)')
    .requiredOption('--data <name[@version]>', 'dataset to train on', datasetReference)
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
    .addOption(shards)
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
    );
  return withBuilder(withConnection(withLimits(withOptimizer(withStrategy(command)))));
}

/** @param store takes the model's graph */
export async function jobRequest(
  given: string | undefined,
  options: JobOptions,
  store: ObjectStore,
): Promise<TrainRequest> {
  const { name: dataset, version } = options.data;
  const name = modelName(given, options.model, dataset);
  const manifest = await readManifest(store, dataset, version);
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
  return {
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
}
