/**
 * What the tasks of a job exchange by its strategy and compression: lengths of the very files, made of values that stand
 * for a model's, and how long this machine computes to make, read and merge them.
 */
import type { ParameterSlot, Part } from '../contracts/job.ts';
import { encodeIndex } from '../strategies/pieces.ts';
import type { Given } from '../strategies/table.ts';
import { type ExchangeFiles, filesOf, sampleOf, SHA256 } from './exchange-files.ts';
import { type ExchangeSeconds, secondsOf } from './exchange-seconds.ts';

export interface Exchange {
  readonly bytes: ExchangeBytes;
  readonly seconds: ExchangeSeconds;
}

export interface ExchangeBytes {
  /** What a merge writes: the state, and what shards start from where that is not the state itself. */
  readonly state: number;
  readonly model: number;
  /** What a shard sends, the part of it that is in the update's own file, and what it keeps in the store. */
  readonly update: number;
  readonly file: number;
  readonly residual: number;
}

/** @param clock seconds, of this machine */
export async function measureExchange(
  given: Given,
  parameters: readonly ParameterSlot[],
  clock: () => number,
): Promise<Exchange> {
  const sample = sampleOf(given, parameters);
  const files = filesOf(sample);
  return { bytes: bytesOf(files), seconds: await secondsOf(sample, files, clock) };
}

function bytesOf({ pieces, update: { own, parts, residual } }: ExchangeFiles): ExchangeBytes {
  const models = pieces.flatMap(({ model }) => (model === undefined ? [] : [model]));
  return {
    state: stored(pieces.map(({ state }) => state)),
    model: stored(models),
    update: own.length + sum(parts),
    file: own.length,
    residual: residual?.length ?? 0,
  };
}

/** One file is itself, of several there is an index. */
function stored(files: readonly Uint8Array[]): number {
  const named = files.map(({ length }): Part => ({ sha256: SHA256, bytes: length }));
  return sum(files) + (files.length > 1 ? encodeIndex(named).length : 0);
}

const sum = (files: readonly Uint8Array[]) => files.reduce((total, { length }) => total + length, 0);
