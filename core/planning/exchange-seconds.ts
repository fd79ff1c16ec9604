/** How long this machine computes to make, read and merge the files that a job's tasks exchange. */
import { decodeState } from '../jobs/state.ts';
import { sha256Hex } from '../storage/blobs.ts';
import { decodeModelSlice, decodeStateSlice, decodeUpdate } from '../strategies/files.ts';
import { cutState, type EncodedPieces } from '../strategies/pieces.ts';
import type { Slice } from '../strategies/slices.ts';
import type { Update } from '../strategies/strategy.ts';
import { decodeSafetensors } from '../tensors/safetensors.ts';
import { type ExchangeFiles, isWhole, piecesOf, type Sample, updateOf } from './exchange-files.ts';

export interface ExchangeSeconds {
  /** To read what a shard starts from, and to make its update. */
  readonly start: number;
  readonly send: number;
  /** Of a merge, and for each of its updates. */
  readonly merge: number;
  readonly mergeEach: number;
}

/** Updates of the two merges that are compared. */
const FEW = 1;
const MORE = 4;

export async function secondsOf(
  sample: Sample,
  files: ExchangeFiles,
  clock: () => number,
): Promise<ExchangeSeconds> {
  const timed = async (work: () => Promise<void>): Promise<number> => {
    const began = clock();
    await work();
    return clock() - began;
  };
  const start = await timed(() => readStart(sample, files.pieces));
  const send = await timed(() => makeUpdate(sample));
  // The first ones also compile.
  await merge(sample, files, MORE);
  const few = await timed(() => merge(sample, files, FEW));
  const more = await timed(() => merge(sample, files, MORE));
  const mergeEach = Math.max(0, more - few) / (MORE - FEW);
  return { start, send, merge: Math.max(0, few - mergeEach), mergeEach };
}

async function readStart(sample: Sample, pieces: readonly EncodedPieces[]): Promise<void> {
  const { parameters, slices, strategy } = sample;
  for (const [i, { start, end, trained }] of slices.entries()) {
    const { state, model } = pieces[i]!;
    await sha256Hex(model ?? state);
    if (model !== undefined) decodeModelSlice(model, end - start, trained);
    else if (isWhole(sample)) decodeState(state, parameters, strategy.slots);
    else decodeStateSlice(state, strategy.slots, end - start);
  }
}

async function makeUpdate(sample: Sample): Promise<void> {
  const { own, parts } = updateOf(sample);
  for (const file of [own, ...parts]) await sha256Hex(file);
}

async function merge(sample: Sample, { update }: ExchangeFiles, count: number): Promise<void> {
  const { slices, state, strategy } = sample;
  for (const [i, slice] of slices.entries()) {
    const file = update.parts[i] ?? update.own;
    const updates: Update[] = [];
    for (let shard = 0; shard < count; shard++) {
      await sha256Hex(file);
      updates.push({ shard, samples: 1, count: 1, vectors: readUpdate(sample, file, slice) });
    }
    const { trained } = slice;
    const merged = strategy.merge({ state: cutState(state, slice), updates, trained, step: 0, steps: 1 });
    const pieces = piecesOf(sample, merged, slice);
    for (const each of Object.values(pieces)) await sha256Hex(each);
  }
}

function readUpdate(sample: Sample, file: Uint8Array<ArrayBuffer>, slice: Slice): Update['vectors'] {
  const { parameters, strategy } = sample;
  if (strategy.sends !== 'state' || !isWhole(sample))
    return decodeUpdate(decodeSafetensors(file).tensors, strategy, slice);
  const state = decodeState(file, parameters, strategy.slots);
  return { parameters: state.parameters, ...state.slots };
}
