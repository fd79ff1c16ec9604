/**
 * What of a state is stored: the state, and what shards start from where that is not the same. Of several mergers each
 * stores those of its slice, and an index names them all.
 */
import type { ParameterSlot, Part, PartIndex } from '../contracts/job.ts';
import { encodeState, type TrainingState } from '../jobs/state.ts';
import { encodeModelSlice, encodeStateSlice } from './files.ts';
import { type Slice, trainedLength } from './slices.ts';
import type { Strategy } from './strategy.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** What of a strategy says what is stored. */
export type Storing = Pick<Strategy, 'sends' | 'slots' | 'download'>;

/** Shards that need nothing but parameters read nothing else, and these as short as they may be. */
export const hasModel = ({ sends, slots, download }: Storing): boolean =>
  sends !== 'state' && (slots.length > 0 || download.values !== 'fp32');

export interface EncodedPieces {
  readonly state: Bytes;
  /** Where {@link hasModel}. */
  readonly model?: Bytes;
}

/** @param slice which one, where `state` is but that; default: it is the whole, in one piece */
export function encodePieces(
  parameters: readonly ParameterSlot[],
  strategy: Storing,
  state: TrainingState,
  slice?: Slice,
): EncodedPieces {
  const file = slice === undefined ? encodeState(state, parameters) : encodeStateSlice(state);
  if (!hasModel(strategy)) return { state: file };
  const trained = slice?.trained ?? trainedLength(parameters);
  return { state: file, model: encodeModelSlice(state.parameters, strategy.download, trained) };
}

/** @param parts one a slice, in their order */
export function encodeIndex(parts: readonly Part[]): Bytes {
  const index: PartIndex = { v: 1, parts: [...parts] };
  return Uint8Array.from(new TextEncoder().encode(JSON.stringify(index)));
}

export function cutState({ parameters, slots }: TrainingState, { start, end }: Slice): TrainingState {
  const cut = (vector: Float32Array<ArrayBuffer>) => vector.slice(start, end);
  return {
    parameters: cut(parameters),
    slots: Object.fromEntries(Object.entries(slots).map(([slot, vector]) => [slot, cut(vector)])),
  };
}
