/** Judges gradients by finite differences of the function they claim to be the gradient of. */
import { permutation, type Random } from '../random.ts';
import type { NumericArray } from '../tensors/dtypes.ts';
import { derivative, type Derivative } from './finite-differences.ts';

export type Verdict =
  /** Differences and gradient agree. */
  | 'ok'
  /** They do not. */
  | 'wrong'
  /** The differences are too uncertain to say: kinks, or rounding. */
  | 'unclear';

export interface CheckedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** The gradient in question. */
  readonly gradient: NumericArray;
  /** The function's argument. Elements are changed in place, and put back. */
  readonly argument: Float64Array;
  /** The argument is rounded to float32 by who reads it: only such values are tried. */
  readonly isSingle: boolean;
}

export interface CheckOptions {
  /** Elements to check, at most: the one with the largest gradient and others at random. */
  readonly samples: number;
  /** Largest error allowed, relative to the tensor's largest gradient. */
  readonly tolerance: number;
  /** Errors are measured against this where all of the tensor's gradients are smaller. */
  readonly smallestScale: number;
  readonly random: Random;
}

export interface TensorCheck {
  readonly name: string;
  readonly shape: readonly number[];
  readonly checked: number;
  /** Largest |gradient|; infinite where one is not finite. */
  readonly largest: number;
  /** Largest error among elements that are not unclear, relative to the largest gradient. */
  readonly error: number;
  readonly unclear: number;
  readonly verdict: Verdict;
}

/**
 * First steps of the differences, relative to the element, the tensor's root mean square or `SMALLEST_ELEMENT`: the
 * usual one, a larger one for functions that are rounded roughly, a smaller one for those with kinks near by.
 */
const RELATIVE_STEPS = [2e-3, 2e-2, 5e-5];
const SMALLEST_ELEMENT = 0.1;
/** Differences this much finer than the tolerance need no refining. */
const ENOUGH = 0.1;
/** The error of a difference is an estimate: a gradient off by less than this many of them may be right. */
const DOUBT = 3;

export const largestMagnitude = (values: NumericArray): number => {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(Number(values[i]));
    if (!(magnitude <= largest)) largest = Number.isFinite(magnitude) ? magnitude : Infinity;
  }
  return largest;
};

/** @param lossOf the function, at the argument as it stands */
export async function checkTensor(
  { name, shape, gradient, argument, isSingle }: CheckedTensor,
  lossOf: () => Promise<number>,
  { samples, tolerance, smallestScale, random }: CheckOptions,
): Promise<TensorCheck> {
  const largest = largestMagnitude(gradient);
  const scale = Math.max(Number.isFinite(largest) ? largest : 0, smallestScale) || 1;
  const typical = Math.max(rootMeanSquare(argument), SMALLEST_ELEMENT);
  const chosen = choose(gradient, samples, random);
  let error = 0;
  const counts = { ok: 0, wrong: 0, unclear: 0 };
  for (const i of chosen) {
    const x = argument[i]!;
    const lossAt = async (offset: number) => {
      const moved = isSingle ? Math.fround(x + offset) : x + offset;
      argument[i] = moved;
      const value = await lossOf();
      argument[i] = x;
      return { value, offset: moved - x };
    };
    const size = Math.max(Math.abs(x), typical);
    const element = await judge(Number(gradient[i]), tolerance * scale, (step, enough) =>
      derivative(lossAt, step * size, enough),
    );
    counts[element.verdict]++;
    if (element.verdict !== 'unclear') error = Math.max(error, element.difference / scale);
  }
  const { unclear, wrong } = counts;
  const isUnclear = chosen.length > 0 && unclear === chosen.length;
  const verdict = wrong > 0 ? 'wrong' : isUnclear ? 'unclear' : 'ok';
  return { name, shape, checked: chosen.length, largest, error, unclear, verdict };
}

/** Right at one step is right: a kink or rounding spoils the others. Wrong is what two steps agree on. */
async function judge(
  gradient: number,
  allowed: number,
  differences: (step: number, enough: number) => Promise<Derivative>,
): Promise<{ verdict: Verdict; difference: number }> {
  if (!Number.isFinite(gradient)) return { verdict: 'wrong', difference: Infinity };
  const wrong: number[] = [];
  for (const step of RELATIVE_STEPS) {
    const { value, error } = await differences(step, ENOUGH * allowed);
    const difference = Math.abs(gradient - value);
    if (difference <= allowed && error <= allowed) return { verdict: 'ok', difference };
    if (difference > allowed + DOUBT * error) wrong.push(difference);
  }
  return { verdict: wrong.length > 1 ? 'wrong' : 'unclear', difference: Math.min(...wrong) };
}

/** The position of the largest gradient, then others at random, each once. */
function choose(gradient: NumericArray, samples: number, random: Random): number[] {
  const magnitudes = Array.from<number | bigint, number>(gradient, (value) => Math.abs(Number(value)));
  const top = magnitudes.reduce((best, value, i) => (value > magnitudes[best]! ? i : best), 0);
  const others = Array.from(permutation(gradient.length, random)).filter((i) => i !== top);
  return [top, ...others].slice(0, Math.min(samples, gradient.length));
}

function rootMeanSquare(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / Math.max(values.length, 1));
}
