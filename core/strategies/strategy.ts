/**
 * A strategy: what shards do in a round, what they send of it, and how the merge makes the next state of that. Merging
 * is elementwise, so a slice of the vector can be merged by itself, and takes whichever updates are in: it weighs
 * those against one another, in float64, in shard order.
 */
import type { TrainingState } from '../jobs/state.ts';
import type { Codec } from '../compression/codec.ts';
import type { Compression } from '../compression/feedback.ts';

/**
 * `state`: parameters and optimizer state after the round's steps. `change`: the parameters that the round began with
 * minus those after its steps. `gradient`: of one step, at the parameters that the round began with. In the place of
 * what is assigned both have its next values.
 */
export type Sent = 'state' | 'change' | 'gradient';

export interface Strategy {
  /** Steps of a shard in a round. */
  readonly localSteps: number;
  /** Rounds that may be under way beside the one that is merged next: 0, they follow one another. */
  readonly staleness: number;
  readonly mergers: number;
  readonly sends: Sent;
  /** Vectors of the state beside the parameters, all as long, zeros at first. */
  readonly slots: readonly string[];
  /** Of what shards send; undefined: as it is. */
  readonly compression: Compression | undefined;
  /** Of the parameters that shards start from. */
  readonly download: Codec;
  /** @throws Fault `unprocessable` naming the shard whose update has a NaN or an infinity */
  readonly merge: (round: MergeRound) => TrainingState;
}

/** What a shard sent, decoded. */
export interface Update {
  readonly shard: number;
  /** Rows trained on. */
  readonly samples: number;
  /** What the loss counted of them. */
  readonly count: number;
  /** `parameters` and the optimizer's slots for `state`, or the one vector `change` or `gradient`. */
  readonly vectors: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

/** Vectors may be a slice of the whole. */
export interface MergeRound {
  /** Before the round; not written. */
  readonly state: TrainingState;
  /** At least one, in any order. */
  readonly updates: readonly Update[];
  /** Elements that gradients change; those after them are assigned. */
  readonly trained: number;
  /** The round's first step, and how many the job has. */
  readonly step: number;
  readonly steps: number;
  /** Weight decay of each element, where it is not the same for all. */
  readonly weightDecay?: Float32Array<ArrayBuffer> | undefined;
}
