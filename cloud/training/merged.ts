/** What merges have in common, of the whole vector and of slices. */
import type { Usage } from '../../core/contracts/usage.ts';
import type { TrainingState } from '../../core/jobs/state.ts';
import type { Pieces } from './parts.ts';

/** What a merge made, and the bytes it had to read and write for it. */
export interface Merged extends Pieces {
  readonly read: number;
  readonly written: number;
  /** What other tasks took for it. */
  readonly usages: readonly (Usage | undefined)[];
}

export const writtenBytes = ({ state, model }: Pieces): number => state.bytes + (model?.bytes ?? 0);

/** Before a merge of states, which needs none. */
export const NO_STATE: TrainingState = { parameters: new Float32Array(0), slots: {} };
