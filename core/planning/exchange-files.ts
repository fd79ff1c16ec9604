/** The files that a job's tasks exchange, as the fleet writes them, of values that stand for a model's. */
import type { ParameterSlot, Part } from '../contracts/job.ts';
import { encodeState, type TrainingState } from '../jobs/state.ts';
import { createRandom } from '../random.ts';
import { encodeResidual, encodeUpdate, noResidual } from '../strategies/files.ts';
import { cutState, type EncodedPieces, encodePieces } from '../strategies/pieces.ts';
import { type Slice, slicesOf } from '../strategies/slices.ts';
import type { Strategy, Update } from '../strategies/strategy.ts';
import { type Given, strategyOf } from '../strategies/table.ts';
import { encodeSafetensors } from '../tensors/safetensors.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Of changes: any, as what is made of them does not depend on it. */
const SCALE = 0.01;
/** As long as a name in the store. */
export const SHA256 = '0'.repeat(64);
/** Of the fields beside the values: samples, as long as they are. */
const METADATA = {
  base: SHA256,
  report: JSON.stringify({
    shard: 10,
    samples: 1000,
    count: 1000,
    loss: 0.1234567890123456,
    metrics: { accuracy: 0.1234567890123456 },
  }),
};
const NAMED: Part = { sha256: SHA256, bytes: 1_000_000 };

export interface Sample {
  readonly strategy: Strategy;
  readonly parameters: readonly ParameterSlot[];
  readonly slices: readonly Slice[];
  readonly state: TrainingState;
  /** What a shard sends of it. */
  readonly vectors: Update['vectors'];
}

export function sampleOf(given: Given, parameters: readonly ParameterSlot[]): Sample {
  const strategy = strategyOf(given);
  const slices = slicesOf(parameters, strategy.mergers);
  const length = slices.at(-1)!.end;
  const random = createRandom(1, length);
  const values = () => Float32Array.from({ length }, () => SCALE * random.normal());
  const state: TrainingState = {
    parameters: values(),
    slots: Object.fromEntries(strategy.slots.map((slot) => [slot, values().map(Math.abs)])),
  };
  const { sends } = strategy;
  const vectors =
    sends === 'state' ? { parameters: state.parameters, ...state.slots } : { [sends]: values() };
  return { strategy, parameters, slices, state, vectors };
}

/** One merger merges the whole: there are no slices, and no file names others. */
export const isWhole = ({ slices }: Pick<Sample, 'slices'>): boolean => slices.length === 1;

export interface ExchangeFiles {
  /** What merges store: one a slice. */
  readonly pieces: readonly EncodedPieces[];
  readonly update: UpdateFiles;
}

export interface UpdateFiles {
  /** Has the values, or names the parts that have. */
  readonly own: Bytes;
  /** One a slice; none of a whole. */
  readonly parts: readonly Bytes[];
  /** What the shard keeps, where it keeps something. */
  readonly residual: Bytes | undefined;
}

export const filesOf = (sample: Sample): ExchangeFiles => ({
  pieces: sample.slices.map((slice) => piecesOf(sample, cutState(sample.state, slice), slice)),
  update: updateOf(sample),
});

/** @param state of the slice */
export const piecesOf = (sample: Sample, state: TrainingState, slice: Slice): EncodedPieces =>
  encodePieces(sample.parameters, sample.strategy, state, isWhole(sample) ? undefined : slice);

/** As a shard makes it (cloud/training/updates.ts). */
export function updateOf(sample: Sample): UpdateFiles {
  const { strategy, parameters, slices, state, vectors } = sample;
  if (strategy.sends === 'state' && isWhole(sample))
    return { own: encodeState(state, parameters, METADATA), parts: [], residual: undefined };
  const { compression } = strategy;
  const kept = compression?.errorFeedback === true ? noResidual(state.parameters.length) : undefined;
  const tensors = encodeUpdate({ shard: 0, vectors }, kept, strategy, slices);
  const residual = kept && encodeResidual(kept, compression?.momentum !== undefined);
  const metadata = { ...METADATA, ...(kept === undefined ? {} : { residual: JSON.stringify(NAMED) }) };
  if (isWhole(sample)) return { own: encodeSafetensors(tensors[0]!, metadata), parts: [], residual };
  const parts = tensors.map((each) => encodeSafetensors(each));
  const names = JSON.stringify(parts.map(({ length }): Part => ({ sha256: SHA256, bytes: length })));
  return { own: encodeSafetensors({}, { ...metadata, parts: names }), parts, residual };
}
