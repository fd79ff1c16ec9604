/** Strategies and compressions that are compared. */
import type { TrainRequest } from '../../../core/contracts/job.ts';
import { EPOCH } from './job.ts';

export interface Row {
  readonly name: string;
  /** So many: initial weights and shuffling. */
  readonly seeds: number;
  readonly strategy: NonNullable<TrainRequest['strategy']>;
  readonly compression?: NonNullable<TrainRequest['compression']>;
  /** Default: Adam at the main job's 0.005, batches of 32. */
  readonly optimizer?: NonNullable<TrainRequest['optimizer']>;
  readonly batchSize?: number;
}

export function requestOf(request: TrainRequest, row: Row): TrainRequest {
  const { strategy, compression, optimizer = request.optimizer, batchSize = request.batchSize } = row;
  return {
    ...request,
    strategy,
    ...(optimizer === undefined ? {} : { optimizer }),
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(compression === undefined ? {} : { compression }),
  };
}

/** Of those that may reach the goal, and of what they are measured by. */
const SEVERAL = 3;
const HALF = Math.ceil(EPOCH / 2);
const RESET = { kind: 'local-sgd', localSteps: EPOCH, optimizerState: 'reset' } as const;
const DILOCO = { kind: 'diloco', localSteps: HALF, outer: { learningRate: 0.7, momentum: 0.5 } } as const;
const BYTE = { values: 'int8', errorFeedback: false, download: 'fp16' } as const;

/** The first is what others are measured by: the same job. The second has the rate that suits its large batches best. */
export const BASELINES: readonly Row[] = [
  { name: 'all-reduce', seeds: SEVERAL, strategy: { kind: 'all-reduce' } },
  {
    name: 'all-reduce, Adam 0.02',
    seeds: SEVERAL,
    strategy: { kind: 'all-reduce' },
    optimizer: { kind: 'adam', learningRate: 0.02 },
  },
];
export const ROWS: readonly Row[] = [
  { name: 'local-sgd, H 235', seeds: 1, strategy: { kind: 'local-sgd', localSteps: EPOCH } },
  { name: 'local-sgd reset, H 235', seeds: 1, strategy: RESET },
  { name: 'local-sgd reset, H 235; 4 mergers', seeds: 1, strategy: { ...RESET, mergers: 4 } },
  {
    name: 'local-sgd reset, H 235; int8, no feedback, down fp16',
    seeds: SEVERAL,
    strategy: RESET,
    compression: BYTE,
  },
  {
    name: 'DiLoCo 0.7 0.9, H 118',
    seeds: 1,
    strategy: { ...DILOCO, outer: { learningRate: 0.7, momentum: 0.9 } },
  },
  { name: 'DiLoCo 0.7 0.5, H 118', seeds: 1, strategy: DILOCO },
  {
    name: 'DiLoCo 0.7 0.5, H 118; int8, down fp16',
    seeds: 1,
    strategy: DILOCO,
    compression: { values: 'int8', download: 'fp16' },
  },
  {
    name: 'DiLoCo 0.7 0.5, H 118; top 25 % in int8, down fp16',
    seeds: 1,
    strategy: DILOCO,
    compression: { values: 'int8', topK: { fraction: 0.25 }, download: 'fp16' },
  },
  {
    name: 'DiLoCo 0.7 0.5, H 118; int8, no feedback, down fp16',
    seeds: SEVERAL,
    strategy: DILOCO,
    compression: BYTE,
  },
  {
    name: 'DiLoCo 0.7 0.5, SGD 0.05, batch 16, H 235; int8, no feedback, down fp16',
    seeds: SEVERAL,
    strategy: { ...DILOCO, localSteps: EPOCH },
    compression: BYTE,
    optimizer: { kind: 'sgd', learningRate: 0.05, momentum: 0.9 },
    batchSize: 16,
  },
  {
    name: 'bounded staleness 1, H 59',
    seeds: 1,
    strategy: { kind: 'bounded-staleness', localSteps: 59, staleness: 1 },
  },
];
