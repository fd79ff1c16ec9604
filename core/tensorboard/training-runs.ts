/** A training job as TensorBoard's runs: what was measured on the rows trained on, and on the test split. */
import type { TrainView } from '../contracts/job.ts';
import { Fault } from '../errors.ts';
import type { Scalars } from './event.ts';

/** One file each, in a folder of its name: TensorBoard draws runs that have a tag in common into one chart. */
export interface TrainingRuns {
  /** A point for each committed round; its step is the optimizer step of each shard at the round's end. */
  readonly train: readonly Scalars[];
  /** What the released graph came to; empty until then. */
  readonly test: readonly Scalars[];
}

type Point = TrainView['history'][number];

/** @throws Fault `unprocessable` where the jobs API is older than this and does not say when rounds were committed */
export function trainingRuns({ job, history, result }: TrainView): TrainingRuns {
  const train = history.map((point) => ({ ...momentOf(job, point), values: valuesOf(point) }));
  const step = train.at(-1)?.step;
  if (result === null || !('metrics' in result) || result.metrics === undefined || step === undefined)
    return { train, test: [] };
  return { train, test: [{ at: Date.parse(result.endedAt), step, values: result.metrics }] };
}

function momentOf(job: string, { step, committedAt }: Point): Pick<Scalars, 'at' | 'step'> {
  if (step === undefined || committedAt === undefined)
    throw new Fault('unprocessable', `the jobs API does not say when the rounds of ${job} were committed`);
  return { step, at: Date.parse(committedAt) };
}

/** Tags; what is before the slash groups them. */
function valuesOf({ loss, metrics, ...point }: Point): Record<string, number> {
  const { epoch, learningRate, samplesPerSecond, shards, bytes } = point;
  return {
    ...metrics,
    loss,
    'progress/epoch': epoch,
    ...(learningRate === undefined ? {} : { 'optimizer/learning_rate': learningRate }),
    'fleet/samples_per_second': samplesPerSecond,
    ...(shards === undefined ? {} : { 'fleet/shards': shards }),
    ...(bytes === undefined
      ? {}
      : {
          'bytes/shards_wrote': bytes.up,
          'bytes/shards_read': bytes.down,
          'bytes/merge_read': bytes.mergeRead,
          'bytes/merge_wrote': bytes.mergeWritten,
        }),
  };
}
