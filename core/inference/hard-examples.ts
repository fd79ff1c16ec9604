/**
 * Keeps hard examples for retraining: a sample of the rows that a cascade found hard, as safetensors files whose form
 * is a dataset shard's. Bounded in number and size, and nothing that goes wrong here is the client's.
 */
import { hardExampleKey } from '../contracts/keys.ts';
import { Fault } from '../errors.ts';
import { sha256Hex } from '../storage/blobs.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { DTYPES } from '../tensors/dtypes.ts';
import { encodeSafetensors } from '../tensors/safetensors.ts';
import type { TensorValue } from '../tensors/tensor.ts';
import type { Defer } from './background.ts';
import type { Values } from './batch.ts';
import type { Judged, Judging } from './cascade.ts';

export interface HardExample {
  readonly model: string;
  readonly release: number;
  readonly variant: string;
  readonly judging: Judging;
  readonly judged: Judged;
  readonly inputs: Values;
  readonly values: Values;
}

/** Decides at once, and stores in the background. */
export type KeepHardExample = (example: HardExample, defer: Defer) => void;

export interface HardExampleLimits {
  /** Of the requests with hard rows, 0 to 1. */
  readonly share: number;
  /** Requests kept in a minute by this isolate. */
  readonly perMinute: number;
}

/** Bytes of a file's rows; what does not fit is left out. */
export const LARGEST_EXAMPLE_BYTES = 256 * 1024;
const MINUTE_MS = 60_000;

export function createHardExamples(options: {
  readonly store: Pick<ObjectStore, 'put'>;
  readonly limits: HardExampleLimits;
  /** Unix milliseconds. */
  readonly wallClock: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Told of what could not be stored. */
  readonly report: (thrown: unknown) => void;
}): KeepHardExample {
  const { store, limits, wallClock, random, report } = options;
  let minute = { began: -Infinity, kept: 0 };

  /** Also where the wall clock was set back. */
  function mayKeep(now: number): boolean {
    if (Math.abs(now - minute.began) >= MINUTE_MS) minute = { began: now, kept: 0 };
    return minute.kept < limits.perMinute;
  }

  async function keep(example: HardExample, tensors: Record<string, TensorValue>, now: number) {
    const { model, release, variant, judging } = example;
    const { filter, threshold, scores } = judging.spec;
    const file = encodeSafetensors(tensors, {
      v: '1',
      model,
      release: String(release),
      variant,
      filter,
      threshold: String(threshold),
      output: judging.output,
      scores,
    });
    const day = new Date(now).toISOString().slice(0, 10);
    await store.put(hardExampleKey(model, day, await sha256Hex(file)), file, { condition: 'create' });
  }

  return (example, defer) => {
    if (example.judged.hard.length === 0 || random() >= limits.share) return;
    const now = wallClock();
    if (!mayKeep(now)) return;
    const tensors = tensorsOf(example);
    if (tensors === undefined) return;
    minute.kept += 1;
    defer(keep(example, tensors, now).catch(report));
  };
}

/** @returns undefined where the inputs are not one row for each of the answer's, or no row is small enough */
function tensorsOf({
  judging,
  judged,
  inputs,
  values,
}: HardExample): Record<string, TensorValue> | undefined {
  const { rows, hard, confidence } = judged;
  const all: Values = { ...inputs, [SCORES]: values[judging.output]! };
  let bytes = 0;
  for (const { shape, data } of Object.values(all)) {
    if (shape[0] !== rows) return undefined;
    bytes += data.byteLength / rows;
  }
  const kept = hard.slice(0, Math.floor(LARGEST_EXAMPLE_BYTES / bytes));
  if (kept.length === 0) return undefined;
  const tensors: Record<string, TensorValue> = {};
  for (const name in all) tensors[name] = rowsOf(all[name]!, kept);
  const data = Float32Array.from(kept, (row) => confidence[row]!);
  tensors[CONFIDENCE] = { dtype: 'F32', shape: [kept.length], data };
  return tensors;
}

/** Beside the model's inputs, which have their own names. */
export const SCORES = 'hard.scores';
export const CONFIDENCE = 'hard.confidence';

function rowsOf({ dtype, shape, data }: TensorValue, rows: readonly number[]): TensorValue {
  const stride = data.length / shape[0]!;
  const taken = new DTYPES[dtype].array(rows.length * stride);
  rows.forEach((row, index) =>
    taken.set(data.subarray(row * stride, (row + 1) * stride) as never, index * stride),
  );
  return { dtype, shape: [rows.length, ...shape.slice(1)], data: taken };
}

/** Where nothing else is said, an isolate keeps one request a second at most. */
const DEFAULT_PER_MINUTE = 60;

/** Variables of the Worker; '' is as good as absent. */
export interface HardExampleVariables {
  /** Share of the requests with hard rows, above 0 to 1. Left out: none is kept. */
  readonly CAUSEWAY_HARD_EXAMPLES?: string | undefined;
  readonly CAUSEWAY_HARD_EXAMPLES_PER_MINUTE?: string | undefined;
}

/** @returns undefined where none are to be kept. @throws Fault `internal` naming the variable: a deployment error */
export function hardExampleLimits(variables: HardExampleVariables): HardExampleLimits | undefined {
  const { CAUSEWAY_HARD_EXAMPLES: share = '', CAUSEWAY_HARD_EXAMPLES_PER_MINUTE: perMinute = '' } = variables;
  if (share === '') return undefined;
  const bad = (name: string, text: string, allowed: string) =>
    new Fault('internal', `${name} is ${text}; ${allowed}`);
  if (!(Number(share) >= 0 && Number(share) <= 1))
    throw bad('CAUSEWAY_HARD_EXAMPLES', share, 'a share from 0 to 1');
  if (!/^\d{0,5}$/.test(perMinute))
    throw bad('CAUSEWAY_HARD_EXAMPLES_PER_MINUTE', perMinute, 'a whole number from 0 to 99999');
  return { share: Number(share), perMinute: perMinute === '' ? DEFAULT_PER_MINUTE : Number(perMinute) };
}
