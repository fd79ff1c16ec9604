/** First-order optimizers on flat float32 vectors. */
import { constant, type Expression, vector } from './expression.ts';
import type { Constants } from './interpret.ts';

/** Slot name → vector as long as the parameters. Averaged over shards exactly as parameters are. */
export type OptimizerState = Record<string, Float32Array<ArrayBuffer>>;

export interface OptimizerStep {
  /** Read and written. */
  readonly parameters: Float32Array;
  readonly gradient: Float32Array;
  /** Read and written. */
  readonly state: Readonly<OptimizerState>;
  /** Optimizer steps taken before this one, over the whole job: the state itself counts nothing. */
  readonly step: number;
  readonly learningRate: number;
  /** Weight decay of each element, where it is not the same for all; default: the optimizer's own. */
  readonly weightDecay?: Float32Array;
}

export interface Optimizer {
  readonly slots: readonly string[];
  /** The state before step 0: zeros. */
  readonly init: (length: number) => OptimizerState;
  /** Writes `parameters` and `state`, nothing else; the same input gives the same bits. */
  readonly update: (step: OptimizerStep) => void;
}

/** An optimizer's step as data: the new element of the parameters and of each slot. */
export interface UpdateRule {
  readonly slots: readonly string[];
  /** Reads the vectors `parameters`, `gradient`, the slots, and `weightDecay` where that is a vector. */
  readonly next: Readonly<Record<string, Expression>>;
  /** What stays the same for all elements in one step. @param step 0-based */
  readonly constants: (step: number, learningRate: number) => Constants;
}

/** Where the weight decay comes from: nowhere, a constant of the optimizer, or a vector with one for each element. */
export type DecaySource = 'none' | 'constant' | 'vector';

export const PARAMETERS = vector('parameters');
export const GRADIENT = vector('gradient');
export const LEARNING_RATE = constant('learningRate');

/** undefined where there is none: the term is left out then. */
export function decayOf(source: DecaySource): Expression | undefined {
  if (source === 'none') return undefined;
  return source === 'vector' ? vector('weightDecay') : constant('weightDecay');
}
