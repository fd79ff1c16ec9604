/** States and models in the store: one blob, or with several mergers one a slice and a blob that names them. */
import { type JobPlan, type Part, PartIndex } from '../../core/contracts/job.ts';
import { parse } from '../../core/contracts/parse.ts';
import { decodeState, type TrainingState } from '../../core/jobs/state.ts';
import { getBlob, putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { decodeModelSlice, decodeStateSlice } from '../../core/strategies/files.ts';
import { cutState, encodeIndex, encodePieces, type Storing } from '../../core/strategies/pieces.ts';
import { type Slice, slicesOf } from '../../core/strategies/slices.ts';

/** What of a plan says how its vectors are laid out and cut. */
export type Layout = Pick<JobPlan, 'parameters' | 'slices'>;

/** The slices of a plan, of which one that has none is the whole. */
export const slicesOfPlan = ({ parameters, slices }: Layout): readonly Slice[] =>
  slices ?? slicesOf(parameters, 1);

export async function putPart(store: ObjectStore, bytes: Uint8Array<ArrayBuffer>): Promise<Part> {
  return { sha256: await putBlob(store, bytes), bytes: bytes.length };
}

/** @param parts one a slice, in their order */
async function putIndex(store: ObjectStore, parts: readonly Part[]): Promise<Part> {
  const { sha256, bytes } = await putPart(store, encodeIndex(parts));
  return { sha256, bytes: parts.reduce((sum, part) => sum + part.bytes, bytes) };
}

export async function getIndex(store: ObjectStore, sha256: string): Promise<readonly Part[]> {
  const text = new TextDecoder().decode(await getBlob(store, sha256));
  return parse(PartIndex, JSON.parse(text), 'internal').parts;
}

/** Of a whole, or of one slice. */
export interface Pieces {
  readonly state: Part;
  /** What shards start from, where that is not the state itself. */
  readonly model?: Part | undefined;
}

/** @param slice which of the plan's, where `state` is but one; default: it is the whole, in one piece */
export async function putPieces(
  store: ObjectStore,
  layout: Layout,
  strategy: Storing,
  state: TrainingState,
  slice?: Slice,
): Promise<Pieces> {
  const encoded = encodePieces(layout.parameters, strategy, state, slice);
  const [put, model] = await Promise.all([
    putPart(store, encoded.state),
    encoded.model && putPart(store, encoded.model),
  ]);
  return model === undefined ? { state: put } : { state: put, model };
}

/** A whole state, cut as the plan says. */
export async function putState(
  store: ObjectStore,
  layout: Layout,
  strategy: Storing,
  state: TrainingState,
): Promise<Pieces> {
  if (layout.slices === undefined) return putPieces(store, layout, strategy, state);
  const pieces = layout.slices.map((slice) =>
    putPieces(store, layout, strategy, cutState(state, slice), slice),
  );
  return indexPieces(store, await Promise.all(pieces));
}

/** The pieces of all slices as those of the whole. */
export async function indexPieces(store: ObjectStore, pieces: readonly Pieces[]): Promise<Pieces> {
  const models = pieces.flatMap(({ model }) => (model === undefined ? [] : [model]));
  const state = await putIndex(
    store,
    pieces.map((piece) => piece.state),
  );
  return models.length === 0 ? { state } : { state, model: await putIndex(store, models) };
}

export async function getState(
  store: ObjectStore,
  layout: Layout,
  slots: readonly string[],
  sha256: string,
): Promise<TrainingState> {
  if (layout.slices === undefined) return decodeState(await getBlob(store, sha256), layout.parameters, slots);
  const parts = await getIndex(store, sha256);
  const pieces = await Promise.all(
    layout.slices.map((slice, i) => getStateSlice(store, slots, parts[i]!, slice)),
  );
  const join = (vectorOf: (piece: TrainingState) => Float32Array) =>
    joined(layout.slices!, pieces.map(vectorOf));
  return {
    parameters: join(({ parameters }) => parameters),
    slots: Object.fromEntries(slots.map((slot) => [slot, join((piece) => piece.slots[slot]!)])),
  };
}

export async function getStateSlice(
  store: ObjectStore,
  slots: readonly string[],
  { sha256 }: Part,
  { start, end }: Slice,
): Promise<TrainingState> {
  return decodeStateSlice(await getBlob(store, sha256), slots, end - start);
}

/** What shards start from, as they see it: with what its precision lost. */
export async function getModel(
  store: ObjectStore,
  layout: Layout,
  sha256: string,
): Promise<Float32Array<ArrayBuffer>> {
  const slices = slicesOfPlan(layout);
  const names = layout.slices === undefined ? [{ sha256 }] : await getIndex(store, sha256);
  const pieces = await Promise.all(
    slices.map(async ({ start, end, trained }, i) =>
      decodeModelSlice(await getBlob(store, names[i]!.sha256), end - start, trained),
    ),
  );
  return joined(slices, pieces);
}

function joined(slices: readonly Slice[], pieces: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(slices.at(-1)?.end ?? 0);
  slices.forEach(({ start }, i) => whole.set(pieces[i]!, start));
  return whole;
}
