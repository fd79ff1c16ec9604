/** Slice: the gradient gets zeros where elements were left out. */
import { positiveAxis, range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

interface AxisSlice {
  readonly axis: number;
  readonly step: number;
  /** undefined where it is computed. */
  readonly start: number | undefined;
  /** Position in the vectors of starts, ends, axes and steps. */
  readonly position: number;
}

function slicesOf(c: RuleContext): AxisSlice[] {
  const { inputs, constant } = c;
  const rank = c.shape(inputs[0]!).length;
  const starts = inputs[1] ?? '';
  const [count = 0] = c.shape(starts);
  if (typeof count === 'string') throw c.unsupported('it is not known how many axes are sliced');
  const axes = c.integers(3) ?? range(count);
  const steps = c.integers(4);
  const known = constant(starts);
  return range(count).map((position) => ({
    axis: positiveAxis(axes[position] ?? 0, rank),
    step: steps?.[position] ?? 1,
    start: known === undefined ? undefined : Number(known.data[position]),
    position,
  }));
}

/** The slice's dimension before and after, where both are numbers. */
function lengthsOf(c: RuleContext, axis: number): readonly [number, number] | undefined {
  const before = c.shape(c.inputs[0]!)[axis];
  const after = c.shape(c.outputs[0]!)[axis];
  return typeof before === 'number' && typeof after === 'number' ? [before, after] : undefined;
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** The first element taken; the end never matters, as the number of elements is seen in the output. */
function startOf({ start = 0, step }: AxisSlice, dimension: number): number {
  const wrapped = start < 0 ? start + dimension : start;
  return step > 0 ? clamp(wrapped, 0, dimension) : clamp(wrapped, -1, dimension - 1);
}

/** The same at run time. @param dimension of x along the axis, int64 [1] */
function computedStart(c: RuleContext, { start, step, position }: AxisSlice, dimension: string): string {
  const { ops } = c;
  const given =
    start === undefined
      ? ops.cast(ops.op('Gather', [c.inputs[1]!, ops.ints([position])]), 'I64')
      : ops.ints([start]);
  const isNegative = ops.op('Less', [given, ops.ints([0])]);
  const wrapped = ops.op('Where', [isNegative, ops.add(given, dimension), given]);
  const [low, high] =
    step > 0 ? [ops.ints([0]), dimension] : [ops.ints([-1]), ops.sub(dimension, ops.ints([1]))];
  return ops.op('Max', [low, ops.op('Min', [wrapped, high])]);
}

/** Pads along one axis for step 1: [before, after], as numbers or as int64 [1] values. */
function marginsOf(c: RuleContext, each: AxisSlice): readonly [number, number] | readonly [string, string] {
  const { ops } = c;
  const { axis, start } = each;
  const lengths = lengthsOf(c, axis);
  if (lengths !== undefined && start !== undefined) {
    const before = startOf(each, lengths[0]);
    return [before, lengths[0] - lengths[1] - before];
  }
  const dimension = ops.dimensions(c.inputs[0]!, c.shape(c.inputs[0]!), [axis]);
  const taken = ops.dimensions(c.outputs[0]!, c.shape(c.outputs[0]!), [axis]);
  const before = computedStart(c, each, dimension);
  return [before, ops.sub(ops.sub(dimension, taken), before)];
}

/**
 * Any other step: each element of x is looked up in the gradient, to which one zero is appended for those that were
 * not taken.
 */
function spread(c: RuleContext, d: string, each: AxisSlice): string {
  const { ops } = c;
  const { axis, step, start } = each;
  const rank = c.shape(c.inputs[0]!).length;
  const pads = range(2 * rank).map((i) => (i === rank + axis ? 1 : 0));
  const withZero = ops.op('Pad', [d, ops.ints(pads)]);
  const lengths = lengthsOf(c, axis);
  if (lengths !== undefined && start !== undefined) {
    const [dimension, taken] = lengths;
    const source = range(dimension).map(() => taken);
    for (const i of range(taken)) source[startOf(each, dimension) + i * step] = i;
    return ops.op('Gather', [withZero, ops.ints(source)], { axis });
  }
  const scalar = (value: string) => ops.reshape(value, []);
  const dimension = ops.dimensions(c.inputs[0]!, c.shape(c.inputs[0]!), [axis]);
  const taken = ops.dimensions(c.outputs[0]!, c.shape(c.outputs[0]!), [axis]);
  const places = ops.op('Range', [scalar(ops.ints([0])), scalar(dimension), scalar(ops.ints([1]))]);
  const offsets = ops.sub(places, computedStart(c, each, dimension));
  const forward = step > 0 ? offsets : ops.neg(offsets);
  const stride = ops.ints([Math.abs(step)]);
  const index = ops.div(forward, stride);
  const isHit = [
    ops.op('Equal', [ops.mul(index, stride), forward]),
    ops.op('GreaterOrEqual', [forward, ops.ints([0])]),
    ops.op('Less', [index, taken]),
  ].reduce((all, condition) => ops.op('And', [all, condition]));
  return ops.op('Gather', [withZero, ops.op('Where', [isHit, index, taken])], { axis });
}

/**
 * Zeros around an axis-by-axis slice with step 1. The pads name every axis: ONNX Runtime 1.30 moves transposes past a
 * Pad without regard to its axes input.
 */
function padded(c: RuleContext, d: string, slices: readonly AxisSlice[]): string {
  const { ops } = c;
  const margins = new Map(slices.map((each) => [each.axis, marginsOf(c, each)]));
  const axes = range(c.shape(c.inputs[0]!).length);
  const pads = ([0, 1] as const).flatMap((side) => axes.map((axis) => margins.get(axis)?.[side] ?? 0));
  if (pads.every((pad) => typeof pad === 'number')) return ops.op('Pad', [d, ops.ints(pads)]);
  const parts = pads.map((pad) => (typeof pad === 'number' ? ops.ints([pad]) : pad));
  return ops.op('Pad', [d, ops.op('Concat', parts, { axis: 0 })]);
}

export const SLICE: RuleTable = {
  Slice: (c) => [
    () => {
      const slices = slicesOf(c);
      const spaced = slices.filter(({ step }) => step !== 1).reduce((d, each) => spread(c, d, each), c.d);
      const cut = slices.filter(({ step }) => step === 1);
      return cut.length === 0 ? spaced : padded(c, spaced, cut);
    },
  ],
};
