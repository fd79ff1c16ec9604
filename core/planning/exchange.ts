/**
 * What the tasks of a job exchange by its strategy and compression: lengths of the very files, made of values that stand
 * for a model's, and how long this machine computes to make, read and merge them.
 */
import type { ParameterSlot } from '../contracts/job.ts';
import { decodeState, encodeState, type TrainingState } from '../jobs/state.ts';
import { createRandom } from '../random.ts';
import { sha256Hex } from '../storage/blobs.ts';
import {
  decodeModelSlice,
  decodeUpdate,
  encodeModelSlice,
  encodeResidual,
  encodeStateSlice,
  encodeUpdate,
  noResidual,
} from '../strategies/files.ts';
import { type Slice, slicesOf } from '../strategies/slices.ts';
import type { Strategy } from '../strategies/strategy.ts';
import { type Given, strategyOf } from '../strategies/table.ts';
import { decodeSafetensors, encodeSafetensors } from '../tensors/safetensors.ts';

export interface Exchange {
  readonly bytes: {
    /** What a merge writes: the state, and what shards start from where that is not the state itself. */
    readonly state: number;
    readonly model: number;
    /** What a shard sends, the part of it that is in the update's own file, and what it keeps in the store. */
    readonly update: number;
    readonly file: number;
    readonly residual: number;
  };
  readonly seconds: {
    /** To read what a shard starts from, and to make its update. */
    readonly start: number;
    readonly send: number;
    /** Of a merge, and for each of its updates. */
    readonly merge: number;
    readonly mergeEach: number;
  };
}

/** Of the fields beside the values: a sample, as long as they are. */
const METADATA = {
  base: '0'.repeat(64),
  report: JSON.stringify({
    shard: 10,
    samples: 1000,
    count: 1000,
    loss: 0.1234567890123456,
    metrics: { accuracy: 0.1234567890123456 },
  }),
};
const PART = JSON.stringify({ sha256: '0'.repeat(64), bytes: 1_000_000 });
/** Of changes: any, as what is made of them does not depend on it. */
const SCALE = 0.01;
const FEW = 1;
const MORE = 4;

/** @param clock seconds, of this machine */
export async function measureExchange(
  given: Given,
  parameters: readonly ParameterSlot[],
  clock: () => number,
): Promise<Exchange> {
  const strategy = strategyOf(given);
  const slices = slicesOf(parameters, strategy.mergers);
  const length = slices.at(-1)!.end;
  const random = createRandom(1, length);
  const values = () => Float32Array.from({ length }, () => SCALE * random.normal());
  const state: TrainingState = {
    parameters: values(),
    slots: Object.fromEntries(strategy.slots.map((slot) => [slot, values().map(Math.abs)])),
  };
  const whole = slices.length === 1;
  const stateFiles = whole
    ? [encodeState(state, parameters)]
    : slices.map((slice) => encodeStateSlice(cut(state, slice)));
  const hasModel =
    strategy.sends !== 'state' && (strategy.slots.length > 0 || strategy.download.values !== 'fp32');
  const models = hasModel
    ? slices.map(({ start, end, trained }) =>
        encodeModelSlice(state.parameters.slice(start, end), strategy.download, trained),
      )
    : [];
  const index = whole ? 0 : slices.length * PART.length + 20;

  const starting = clock();
  if (hasModel)
    models.forEach((file, i) =>
      decodeModelSlice(file, slices[i]!.end - slices[i]!.start, slices[i]!.trained),
    );
  else if (whole) decodeState(stateFiles[0]!, parameters, strategy.slots);
  for (const file of hasModel ? models : stateFiles) await sha256Hex(file);
  const start = clock() - starting;

  const sent = strategy.sends === 'state' ? { parameters: state.parameters, ...state.slots } : undefined;
  const vectors = sent ?? { [strategy.sends]: values() };
  const keeps = strategy.compression?.errorFeedback === true;
  const hasVelocity = strategy.compression?.momentum !== undefined;
  const sending = clock();
  const residual = keeps ? noResidual(length) : undefined;
  const files =
    sent !== undefined && whole
      ? [encodeState(state, parameters, METADATA)]
      : encodeUpdate({ shard: 0, vectors }, residual, strategy, slices).map((file) =>
          encodeSafetensors(file, whole ? { ...METADATA, ...(keeps ? { residual: PART } : {}) } : {}),
        );
  const kept = residual === undefined ? 0 : encodeResidual(residual, hasVelocity).length;
  for (const file of files) await sha256Hex(file);
  const send = clock() - sending;

  const merge = async (count: number): Promise<number> => {
    const began = clock();
    for (const [i, slice] of slices.entries()) {
      const updates = [];
      for (let shard = 0; shard < count; shard++) {
        await sha256Hex(files[i]!);
        updates.push({
          shard,
          samples: 1,
          count: 1,
          vectors:
            whole && sent !== undefined
              ? readWhole(files[0]!, parameters, strategy)
              : read(files[i]!, strategy, slice),
        });
      }
      const merged = strategy.merge({
        state: cut(state, slice),
        updates,
        trained: slice.trained,
        step: 0,
        steps: 1,
      });
      const bytes = whole ? encodeState(merged, parameters) : encodeStateSlice(merged);
      await sha256Hex(bytes);
    }
    return clock() - began;
  };
  // The first ones also compile.
  await merge(MORE);
  const few = await merge(FEW);
  const mergeEach = Math.max(0, (await merge(MORE)) - few) / (MORE - FEW);

  const sum = (of: readonly Uint8Array[]) => of.reduce((total, { length: bytes }) => total + bytes, 0);
  const file = whole ? sum(files) : encodeSafetensors({}, METADATA).length + slices.length * PART.length + 20;
  return {
    bytes: {
      state: sum(stateFiles) + index,
      model: hasModel ? sum(models) + index : 0,
      update: whole ? file : sum(files) + file,
      file,
      residual: kept,
    },
    seconds: { start, send, merge: Math.max(0, few - mergeEach), mergeEach },
  };
}

const read = (file: Uint8Array<ArrayBuffer>, strategy: Strategy, slice: Slice) =>
  decodeUpdate(decodeSafetensors(file).tensors, strategy, slice);

function readWhole(file: Uint8Array<ArrayBuffer>, parameters: readonly ParameterSlot[], { slots }: Strategy) {
  const state = decodeState(file, parameters, slots);
  return { parameters: state.parameters, ...state.slots };
}

function cut({ parameters, slots }: TrainingState, { start, end }: Slice): TrainingState {
  return {
    parameters: parameters.slice(start, end),
    slots: Object.fromEntries(
      Object.entries(slots).map(([slot, vector]) => [slot, vector.slice(start, end)]),
    ),
  };
}
