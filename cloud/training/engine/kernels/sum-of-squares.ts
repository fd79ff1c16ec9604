/** The sum of squares of core/optimizers/clip.ts, its eight partial sums in four vectors of two. */
import {
  assemble,
  type Code,
  F64,
  f64,
  f64x2,
  I32,
  i32,
  local,
  repeat,
  sequence,
  v128,
} from './assembler.ts';
import { type Arena, instantiate, VECTOR } from './memory.ts';

/** Parameters of the function: byte offsets. */
const AT = 0;
const END = 1;
/** Locals: a vector of elements, then the sums. */
const X = 2;
const SUMS = [3, 4, 5, 6] as const;

/** sum += (the two lower or upper lanes of X, as float64)² */
function addSquares(sum: number, lanes: 'lower' | 'upper'): Code {
  const x = local.get(X);
  const half = sequence(lanes === 'lower' ? x : sequence(x, x, v128.upperHalves), f64x2.promoteLow);
  return sequence(local.get(sum), half, half, f64x2.mul, f64x2.add, local.set(sum));
}

const fourElements = (offset: number, lower: number, upper: number) =>
  sequence(
    sequence(local.get(AT), v128.load(offset), local.set(X)),
    addSquares(lower, 'lower'),
    addSquares(upper, 'upper'),
  );

const [A, B, C, D] = SUMS;
const loop = repeat(
  fourElements(0, A, B),
  fourElements(VECTOR, C, D),
  sequence(local.get(AT), i32.const(2 * VECTOR), i32.add, local.set(AT)),
  sequence(local.get(AT), local.get(END), i32.ltU),
);
/** (A + B) + (C + D), then its two lanes. */
const total = sequence(
  sequence(local.get(A), local.get(B), f64x2.add),
  sequence(local.get(C), local.get(D), f64x2.add),
  sequence(f64x2.add, local.set(A)),
  sequence(local.get(A), f64x2.extractLane(0), local.get(A), f64x2.extractLane(1), f64.add),
);

const MODULE = assemble({
  parameters: [I32, I32],
  results: [F64],
  vectors: 1 + SUMS.length,
  body: sequence(loop, total),
});

/** @returns what gives the sum of squares of a region */
export function sumOfSquaresKernel(arena: Arena, region: string): () => number {
  const run = instantiate(MODULE, arena.memory);
  const start = arena.offset(region);
  return () => Number(run(start, start + arena.stride));
}
