/** Strategies and compressions that are compared, each with the learning rate that suits it. */
import type { TrainRequest } from '../../../core/contracts/job.ts';
import { EPOCH } from './job.ts';

export interface Row {
  readonly name: string;
  readonly strategy: NonNullable<TrainRequest['strategy']>;
  /** Of Adam, from which it decays linearly. */
  readonly rate: number;
  readonly compression?: NonNullable<TrainRequest['compression']>;
}

export const requestOf = (request: TrainRequest, { strategy, rate, compression }: Row): TrainRequest => ({
  ...request,
  optimizer: { kind: 'adam', learningRate: rate },
  strategy,
  ...(compression === undefined ? {} : { compression }),
});

const HALF = Math.ceil(EPOCH / 2);
const RESET = { kind: 'local-sgd', localSteps: EPOCH, optimizerState: 'reset' } as const;
const DILOCO = { kind: 'diloco', localSteps: HALF, outer: { learningRate: 0.7, momentum: 0.5 } } as const;

/** The main job's rate, and twice that. */
export const BASELINES: readonly Row[] = [
  { name: 'all-reduce, rate 0.005', strategy: { kind: 'all-reduce' }, rate: 0.005 },
  { name: 'all-reduce, rate 0.01', strategy: { kind: 'all-reduce' }, rate: 0.01 },
];
export const ROWS: readonly Row[] = [
  { name: 'local-sgd, H 235', strategy: { kind: 'local-sgd', localSteps: EPOCH }, rate: 0.005 },
];
