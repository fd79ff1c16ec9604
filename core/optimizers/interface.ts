/** First-order optimizers on flat float32 vectors. */
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
}

export interface Optimizer {
  readonly slots: readonly string[];
  /** The state before step 0: zeros. */
  readonly init: (length: number) => OptimizerState;
  /** Writes `parameters` and `state`, nothing else; the same input gives the same bits. */
  readonly update: (step: OptimizerStep) => void;
}

export function zeroState(slots: readonly string[], length: number): OptimizerState {
  return Object.fromEntries(slots.map((slot) => [slot, new Float32Array(length)]));
}
