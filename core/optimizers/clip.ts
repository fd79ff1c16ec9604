/** Clipping of gradients by their norm over all parameters (Pascanu et al. 2013, arXiv:1211.5063, algorithm 1). */
import { constant, elementwise, mul } from './expression.ts';
import { GRADIENT } from './interface.ts';

/**
 * Σx² in float64, where squares of float32 are exact and none of them overflows. Element i goes into partial sum
 * i mod 8, and these are added in one order: two vectors of four elements each take one step of all the sums.
 */
export function sumOfSquares(x: Float32Array): number {
  let [s0, s1, s2, s3, s4, s5, s6, s7] = [0, 0, 0, 0, 0, 0, 0, 0];
  const whole = x.length - (x.length % 8);
  for (let i = 0; i < whole; i += 8) {
    s0 += x[i]! * x[i]!;
    s1 += x[i + 1]! * x[i + 1]!;
    s2 += x[i + 2]! * x[i + 2]!;
    s3 += x[i + 3]! * x[i + 3]!;
    s4 += x[i + 4]! * x[i + 4]!;
    s5 += x[i + 5]! * x[i + 5]!;
    s6 += x[i + 6]! * x[i + 6]!;
    s7 += x[i + 7]! * x[i + 7]!;
  }
  const sums = [s0, s1, s2, s3, s4, s5, s6, s7];
  for (let i = whole; i < x.length; i++) sums[i - whole]! += x[i]! * x[i]!;
  const lane = (i: number) => sums[i]! + sums[i + 2]! + (sums[i + 4]! + sums[i + 6]!);
  return lane(0) + lane(1);
}

/** What gradients are multiplied by so that their norm is `clipNorm` at most. NaN where they are not finite. */
export function clipScale(sumOfSquares: number, clipNorm: number): number {
  const norm = Math.sqrt(sumOfSquares);
  if (!Number.isFinite(norm)) return NaN;
  return norm > clipNorm ? clipNorm / norm : 1;
}

/** gradient ← scale · gradient. */
export const SCALE_GRADIENT = elementwise({ gradient: mul(GRADIENT, constant('scale')) });
