/**
 * Convolutions (Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285).
 * A transposed convolution is the gradient of a convolution in its input, so one set of formulas serves both.
 */
import { intAttribute } from '../../onnx/attributes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';
import { channelsOf, endOf, reach, transposed, windowOf, type Window } from './window.ts';

interface Correlation {
  readonly window: Window;
  readonly group: number;
  /** `[N, C, …]`, what the windows move over. */
  readonly x: string;
  /** `[N, F, …]`, one value for each window and filter. */
  readonly y: string;
  readonly channels: number;
  readonly filters: number;
  /** `[F, C/group, …]` */
  readonly weight: readonly number[];
}

/** Every position in a box, the last axis fastest. */
function positions(extents: readonly number[]): number[][] {
  let found: number[][] = [[]];
  for (const extent of extents)
    found = found.flatMap((lead) => range(extent).map((position) => [...lead, position]));
  return found;
}

/**
 * How many kernel elements one matrix product takes: as few as make it wide enough to be efficient, since each costs
 * a copy of the input. One, a row of the kernel, or all.
 */
function tapsAtOnce({ window, channels, group }: Correlation): number {
  const taps = elementCount(window.kernel);
  const wide = 24;
  return [1, window.kernel.at(-1) ?? 1].find((count) => (count * channels) / group >= wide) ?? taps;
}

/**
 * The gradient in the weights: for each kernel element the products of x, shifted by it, and y, summed over windows
 * and batch. With the batch as the innermost axis a shift copies whole runs, and the sums are matrix products
 * `[C·taps, windows·N] · [windows·N, F]`. The convolution with exchanged roles, the textbook form, takes twice the
 * time in ONNX Runtime: its kernel is the whole image.
 */
function weightGradient(c: RuleContext, correlation: Correlation): string {
  const { ops } = c;
  const { window, group, x, y, channels, filters, weight } = correlation;
  const { kernel, strides, dilations, input, output, begin } = window;
  const windows = elementCount(output);
  const lastFirst = (value: string, width: number) => ops.transpose(ops.reshape(value, [-1, width]), [1, 0]);

  // [C, padded positions, N]
  const pads = input.map((size, axis) => {
    const end = Math.max(endOf(window, axis), 0);
    return { before: begin[axis]!, after: end, size: size + begin[axis]! + end };
  });
  const batchLast = ops.reshape(lastFirst(x, channels * elementCount(input)), [channels, ...input, -1]);
  const padded = pads.every(({ before, after }) => before === 0 && after === 0)
    ? batchLast
    : ops.op('Pad', [
        batchLast,
        ops.ints([0, ...pads.map(({ before }) => before), 0, 0, ...pads.map(({ after }) => after), 0]),
      ]);
  const flat = ops.reshape(padded, [channels, elementCount(pads.map(({ size }) => size)), -1]);

  // [group, windows·N, F/group]
  const right =
    group === 1
      ? ops.reshape(lastFirst(y, windows), [1, -1, filters])
      : ops.swap(ops.reshape(lastFirst(y, filters * windows), [group, filters / group, -1]), 3);

  const offset = (position: readonly number[]) =>
    position.reduce((sum, index, axis) => sum * pads[axis]!.size + index, 0);
  const starts = positions(output).map((at) => offset(at.map((index, axis) => index * strides[axis]!)));
  const taps = positions(kernel).map((at) => offset(at.map((index, axis) => index * dilations[axis]!)));
  const count = tapsAtOnce(correlation);
  const parts = range(Math.ceil(taps.length / count)).map((part) => {
    const shifts = taps.slice(part * count, (part + 1) * count);
    // Written as a sum, which the runtime computes once: the indices are many.
    const indices = () => ops.add(ops.ints(starts), ops.unsqueeze(ops.ints(shifts), [1]));
    const isWhole = windows === elementCount(input) && taps.length === 1 && padded === batchLast;
    const shifted = isWhole ? flat : ops.op('Gather', [flat, indices()], { axis: 1 });
    const left = ops.reshape(shifted, [group, (channels / group) * shifts.length, -1]);
    const product = ops.op('MatMul', [left, right]);
    return ops.reshape(product, [group, channels / group, shifts.length, filters / group]);
  });
  const products = parts.length === 1 ? parts[0]! : ops.op('Concat', parts, { axis: 2 });
  return ops.reshape(ops.transpose(products, [0, 3, 1, 2]), weight);
}

/** The gradient of a convolution in its input. */
function inputGradient(c: RuleContext, { window, group, channels, filters, weight }: Correlation): string {
  const { ops, d } = c;
  const w = c.inputs[1]!;
  const isUnit = window.strides.every((stride) => stride === 1);
  const isDepthwise = group === channels && group === filters;
  if (!isUnit || !isDepthwise) return ops.op('ConvTranspose', [d, w], { group, ...transposed(window) });
  // One filter per channel has a kernel of its own in ONNX Runtime, which the flipped filter can use too.
  const axes = window.kernel.map((_, axis) => axis + 2);
  const flipped = ops.op('Slice', [
    w,
    ops.ints(axes.map(() => -1)),
    ops.ints(axes.map((axis) => -weight[axis]! - 1)),
    ops.ints(axes),
    ops.ints(axes.map(() => -1)),
  ]);
  const rest = (pad: (axis: number) => number) => axes.map((_, axis) => reach(window, axis) - 1 - pad(axis));
  const pads = [...rest((axis) => window.begin[axis]!), ...rest((axis) => endOf(window, axis))];
  if (pads.some((pad) => pad < 0)) return ops.op('ConvTranspose', [d, w], { group, ...transposed(window) });
  return ops.op('Conv', [d, flipped], { group, dilations: window.dilations, pads });
}

const biasGradient = (c: RuleContext): string =>
  c.ops.sum(
    c.d,
    range(c.shape(c.outputs[0]!).length).filter((axis) => axis !== 1),
    false,
  );

function weightShape(c: RuleContext): readonly number[] {
  return c.shape(c.inputs[1]!).map((dimension) => {
    if (typeof dimension === 'number') return dimension;
    throw c.unsupported(`the symbolic dimension ${dimension} of its weights`);
  });
}

const conv: RuleTable[string] = (c) => {
  const [x] = c.inputs as [string];
  const y = c.outputs[0]!;
  const weight = weightShape(c);
  const correlation = {
    window: windowOf(c, weight.slice(2), x, y),
    group: intAttribute(c.node, 'group', 1),
    x,
    y: c.d,
    channels: channelsOf(c, x),
    filters: channelsOf(c, y),
    weight,
  };
  return [() => inputGradient(c, correlation), () => weightGradient(c, correlation), () => biasGradient(c)];
};

/** The windows move over its output; what a convolution reads, it writes. */
const convTranspose: RuleTable[string] = (c) => {
  const { ops, d } = c;
  const [x, w] = c.inputs as [string, string];
  const y = c.outputs[0]!;
  const weight = weightShape(c);
  const window = windowOf(c, weight.slice(2), y, x);
  const group = intAttribute(c.node, 'group', 1);
  const ends = weight.slice(2).map((_, axis) => endOf(window, axis));
  // Elements at the end that no window reaches: fewer than a stride are left over, more are cut off.
  const excess = ends.map((end, axis) => (-end >= window.strides[axis]! ? end : 0));
  const cropped = () =>
    excess.some((amount) => amount !== 0)
      ? ops.op('Pad', [d, ops.ints([...range(2 + weight.length).map(() => 0), ...excess])])
      : d;
  const correlation = {
    window,
    group,
    x: d,
    y: x,
    channels: channelsOf(c, y),
    filters: channelsOf(c, x),
    weight,
  };
  return [
    () =>
      ops.op('Conv', [cropped(), w], {
        group,
        strides: window.strides,
        dilations: window.dilations,
        pads: [...window.begin, ...ends.map((end) => Math.max(end, 0))],
      }),
    () => weightGradient(c, correlation),
    () => biasGradient(c),
  ];
};

export const CONVOLUTION: RuleTable = { Conv: conv, ConvTranspose: convTranspose };
