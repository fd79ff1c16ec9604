/** What Resize does along one axis (onnx/docs/Operators.md#resize). */
import { floatAttribute, intAttribute, stringAttribute } from '../../onnx/attributes.ts';
import { range } from '../ops.ts';
import type { RuleContext } from '../rule.ts';

export interface Lengths {
  readonly size: number;
  readonly result: number;
  /** As the node says it; `result / size` only nearly, where that is no whole number. */
  readonly scale: number;
}

/** Input position → its share in a result. */
export type Shares = ReadonlyMap<number, number>;

/** Runtimes compute positions in float32, which decides where nearest rounds. */
const f = Math.fround;

/** Result position → input position. */
const COORDINATES: Readonly<Record<string, (at: number, lengths: Lengths) => number>> = {
  half_pixel: (at, { scale }) => f(f(f(at + 0.5) / f(scale)) - 0.5),
  pytorch_half_pixel: (at, { result, scale }) => (result > 1 ? f(f(f(at + 0.5) / f(scale)) - 0.5) : 0),
  align_corners: (at, { size, result }) => (result === 1 ? 0 : f(f(at * (size - 1)) / (result - 1))),
  asymmetric: (at, { scale }) => f(at / f(scale)),
};

const NEAREST: Readonly<Record<string, (position: number) => number>> = {
  round_prefer_floor: (position) => Math.ceil(position - 0.5),
  round_prefer_ceil: (position) => Math.floor(position + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Keys 1981, "Cubic convolution interpolation for digital image processing". */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
}

type Tap = readonly [at: number, weight: number];

/** Input positions that a position is made of, which may lie outside. */
function kernelOf(c: RuleContext): (position: number) => Tap[] {
  const mode = stringAttribute(c.node, 'mode', 'nearest');
  if (mode === 'nearest') {
    const name = stringAttribute(c.node, 'nearest_mode', 'round_prefer_floor');
    const nearest = NEAREST[name];
    if (nearest === undefined) throw c.unsupported(`nearest_mode ${name}`);
    return (position) => [[nearest(position), 1]];
  }
  if (mode === 'linear')
    return (position) => {
      const low = Math.floor(position);
      return [
        [low, 1 - (position - low)],
        [low + 1, position - low],
      ];
    };
  if (mode !== 'cubic') throw c.unsupported(`mode ${mode}`);
  const a = floatAttribute(c.node, 'cubic_coeff_a', -0.75);
  return (position) => {
    const low = Math.floor(position);
    return [-1, 0, 1, 2].map((step) => [low + step, cubic(position - low - step, a)]);
  };
}

/** @returns what each result is made of @throws Fault for a mode that is not known */
export function interpolation(c: RuleContext, lengths: Lengths): Shares[] {
  const mode = stringAttribute(c.node, 'coordinate_transformation_mode', 'half_pixel');
  const coordinate = COORDINATES[mode];
  if (coordinate === undefined) throw c.unsupported(`coordinate_transformation_mode ${mode}`);
  const isExcluding = intAttribute(c.node, 'exclude_outside', 0) === 1;
  const kernel = kernelOf(c);
  const { size, result } = lengths;
  return range(result).map((at) => {
    const taps = kernel(coordinate(at, lengths)).filter(([, weight]) => weight !== 0);
    const kept = isExcluding ? taps.filter(([from]) => from >= 0 && from < size) : taps;
    const total = isExcluding ? kept.reduce((sum, [, weight]) => sum + weight, 0) : 1;
    const shares = new Map<number, number>();
    for (const [from, weight] of kept) {
      // Outside, the image goes on as at its edge.
      const inside = Math.min(Math.max(from, 0), size - 1);
      shares.set(inside, (shares.get(inside) ?? 0) + weight / total);
    }
    return shares;
  });
}
