/** Pooling over windows, and over all of the space. */
import { intAttribute, intsAttribute } from '../../onnx/attributes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';
import { tilingOf } from './tiling.ts';
import { channelsOf, isTiling, transposed, windowOf, type Extents, type Window } from './window.ts';

const poolWindow = (c: RuleContext): Window =>
  windowOf(c, intsAttribute(c.node, 'kernel_shape') ?? [], c.inputs[0]!, c.outputs[0]!);

/** ONNX Runtime has a quick way to enlarge images, in float32. */
const isQuick = (c: RuleContext, window: Window): boolean =>
  c.dtype === 'F32' && window.kernel.length === 2 && isTiling(window);

/** Every channel on its own, as an image of one channel: nothing is gained by handling several together. */
const single = ({ ops }: RuleContext, value: string, size: Extents) => ops.reshape(value, [-1, 1, ...size]);

/** What windows that lie side by side leave over at the ends: cut off, or given back as zeros. */
function leftover({ ops }: RuleContext, { input, output, kernel }: Window) {
  const ends = input.map((size, axis) => size - output[axis]! * kernel[axis]!);
  const pad = (value: string, sign: 1 | -1) =>
    ends.every((end) => end === 0)
      ? value
      : ops.op('Pad', [value, ops.ints([0, 0, 0, 0, 0, 0, ...ends.map((end) => sign * end)])]);
  return { cut: (value: string) => pad(value, -1), restore: (value: string) => pad(value, 1) };
}

/**
 * Shared evenly among the elements of a window that attain its maximum. They are found by comparison: the forward
 * operator takes six times as long where it must say which they are.
 */
function tiledMaximum(c: RuleContext, window: Window, d: string): string {
  const { ops } = c;
  const { input, output } = window;
  const [x, y] = [single(c, c.inputs[0]!, input), single(c, c.outputs[0]!, output)];
  const { cut, restore } = leftover(c, window);
  const tiling = tilingOf(c, window);
  const { elements, values } = tiling;
  const attains = tiling.attains(elements.of(cut(x)), values.of(y));
  const each = ops.div(values.of(single(c, d, output)), tiling.sums(attains));
  const gradient = restore(elements.toImage(ops.mul(attains, tiling.spread(each))));
  return ops.reshape(gradient, [-1, channelsOf(c, c.inputs[0]!), ...input]);
}

/** The first element that attains the maximum takes all. An element may win in several windows. */
function scatteredMaximum(c: RuleContext, d: string): string {
  const { ops, dtype } = c;
  if (intAttribute(c.node, 'storage_order', 0) !== 0) throw c.unsupported('storage_order must be 0');
  const x = c.inputs[0]!;
  const shape = c.shape(x);
  const flat = (value: string) => ops.reshape(value, [-1]);
  const zeros = flat(ops.zeros(x, shape, dtype));
  // The forward operator counts positions through the whole tensor.
  const scattered = ops.op('ScatterElements', [zeros, flat(c.expose(1)), flat(d)], { reduction: 'add' });
  return ops.like(scattered, x, shape);
}

const maxPool: RuleTable[string] = (c) => [
  () => {
    const { ops, dtype } = c;
    const [x, y] = [c.inputs[0]!, c.outputs[0]!];
    const window = poolWindow(c);
    // Where a Relu comes before, what it masks is masked here, in as many elements as there are windows.
    const isRectified = c.producer(x)?.opType === 'Relu';
    const d = isRectified ? ops.mul(c.d, ops.step(y, dtype)) : c.d;
    const isAsked = (c.outputs[1] ?? '') !== '';
    const gradient = isQuick(c, window) && !isAsked ? tiledMaximum(c, window, d) : scatteredMaximum(c, d);
    if (isRectified) ops.rectified.set(gradient, x);
    // Whoever attains the maximum of a window, and how many they are: together they get what the window got.
    ops.channelTotals.set(gradient, d);
    return gradient;
  },
];

/** How many elements each window averages: padding counts or not, what hangs over beyond it does not. */
function averaged(c: RuleContext, window: Window): number[][] {
  const isCounting = intAttribute(c.node, 'count_include_pad', 0) === 1;
  const { kernel, begin, end, strides, dilations, input, output } = window;
  return kernel.map((size, axis) => {
    const [low, high] = isCounting ? [-begin[axis]!, input[axis]! + end[axis]!] : [0, input[axis]!];
    return range(output[axis]!).map((position) => {
      const start = position * strides[axis]! - begin[axis]!;
      const taps = range(size).map((tap) => start + tap * dilations[axis]!);
      return taps.filter((at) => at >= low && at < high).length;
    });
  });
}

/** Each window's gradient divided among the elements it averages, and those of all windows added up. */
const averagePool: RuleTable[string] = (c) => [
  () => {
    const { ops, d, dtype } = c;
    const x = c.inputs[0]!;
    const window = poolWindow(c);
    const counts = averaged(c, window).reduce<number[]>(
      (outer, inner) => outer.flatMap((a) => inner.map((b) => a * b)),
      [1],
    );
    const isUniform = counts.every((count) => count === counts[0]);
    const divisor = isUniform
      ? ops.scalar(dtype, counts[0]!)
      : ops.graph.constant({ dtype: 'F32', shape: [...window.output], data: Float32Array.from(counts) });
    const share = ops.div(d, divisor);
    const shares = single(c, share, window.output);
    const dimensions = [-1, channelsOf(c, x), ...window.input];
    if (isQuick(c, window)) {
      const { values, elements, spread } = tilingOf(c, window);
      const image = elements.toImage(spread(values.of(shares)));
      return ops.reshape(leftover(c, window).restore(image), dimensions);
    }

    const ones = Float32Array.from({ length: elementCount(window.kernel) }, () => 1);
    const kernel = ops.graph.constant({ dtype: 'F32', shape: [1, 1, ...window.kernel], data: ones });
    return ops.reshape(ops.op('ConvTranspose', [shares, kernel], transposed(window)), dimensions);
  },
];

const spatialAxes = (c: RuleContext) => range(c.shape(c.inputs[0]!).length).slice(2);

export const POOLING: RuleTable = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: (c) => [
    () => {
      const { ops, d } = c;
      const x = c.inputs[0]!;
      const shape = c.shape(x);
      return ops.expand(ops.div(d, ops.count(x, shape, spatialAxes(c), c.dtype)), x, shape);
    },
  ],
  /** Shared evenly among the elements that attain the maximum. */
  GlobalMaxPool: (c) => [
    () => {
      const { ops, d, dtype } = c;
      const attains = ops.indicator(ops.op('Equal', [c.inputs[0]!, c.outputs[0]!]), dtype);
      return ops.mul(attains, ops.div(d, ops.sum(attains, spatialAxes(c), true)));
    },
  ],
};
