/** The gradient of a convolution, of either kind, in its weights. */
import { elementCount } from '../../tensors/tensor.ts';
import { range } from '../ops.ts';
import type { RuleContext } from '../rule.ts';
import { endOf, type Window } from './window.ts';

export interface Correlation {
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

/** Kernels of one element: each image's products of x and y, added up. */
function pointwiseGradient(c: RuleContext, { window, group, x, y, channels, filters, weight }: Correlation) {
  const { ops } = c;
  const positions = elementCount(window.input);
  const left = ops.reshape(y, [-1, group, filters / group, positions]);
  const right = ops.swap(ops.reshape(x, [-1, group, channels / group, positions]), 4);
  return ops.reshape(ops.sum(ops.op('MatMul', [left, right]), [0], false), weight);
}

/** Whether every position is its own window, and an image's products take no more room than the image. */
function isPointwise({ window, group, channels, filters }: Correlation): boolean {
  const { kernel, strides, begin, input, output } = window;
  const isSame = kernel.every(
    (size, axis) => size === 1 && strides[axis] === 1 && begin[axis] === 0 && input[axis] === output[axis],
  );
  return isSame && (channels * filters) / group <= (channels + filters) * elementCount(input);
}

/**
 * The gradient in the weights: for each kernel element the products of x, shifted by it, and y, summed over windows
 * and batch. With the batch as the innermost axis a shift copies whole runs, and the sums are matrix products
 * `[C·taps, windows·N] · [windows·N, F]`. The convolution with exchanged roles, the textbook form, takes twice the
 * time in ONNX Runtime: its kernel is the whole image.
 */
export function weightGradient(c: RuleContext, correlation: Correlation): string {
  if (isPointwise(correlation)) return pointwiseGradient(c, correlation);
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
