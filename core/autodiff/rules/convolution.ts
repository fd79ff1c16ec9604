/**
 * Convolutions (Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285).
 * A transposed convolution is the gradient of a convolution in its input, so one set of formulas serves both.
 */
import { intAttribute } from '../../onnx/attributes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';
import { weightGradient, type Correlation } from './weight-gradient.ts';
import { channelsOf, endOf, reach, transposed, windowOf } from './window.ts';

/** Weights with the roles of channels and filters exchanged within each group, and every kernel axis reversed. */
function flippedWeights(c: RuleContext, { group, channels, filters, weight }: Correlation): string {
  const { ops } = c;
  const w = c.inputs[1]!;
  const kernel = weight.slice(2);
  const axes = kernel.map((_, axis) => axis + 2);
  const apart = ops.reshape(w, [group, filters / group, channels / group, ...kernel]);
  const exchanged = ops.transpose(apart, [0, 2, 1, ...axes.map((axis) => axis + 1)]);
  return ops.op('Slice', [
    ops.reshape(exchanged, [channels, filters / group, ...kernel]),
    ops.ints(axes.map(() => -1)),
    // One before the first element.
    ops.ints(kernel.map((size) => -size - 1)),
    ops.ints(axes),
    ops.ints(axes.map(() => -1)),
  ]);
}

/**
 * The gradient of a convolution in its input: the transposed convolution, or, without strides, the convolution with
 * flipped weights. The second is quicker in ONNX Runtime where it has to give at least as many channels as it takes
 * (and twice as quick depthwise), the first where there are fewer.
 */
function inputGradient(c: RuleContext, correlation: Correlation): string {
  const { ops, d } = c;
  const { window, group, channels, filters } = correlation;
  const { kernel, strides, dilations, begin } = window;
  const pads = [begin, kernel.map((_, axis) => endOf(window, axis))].flatMap((padding) =>
    padding.map((amount, axis) => reach(window, axis) - 1 - amount),
  );
  const isFlippable = strides.every((stride) => stride === 1) && pads.every((pad) => pad >= 0);
  if (isFlippable && (channels >= filters || elementCount(kernel) === 1))
    return ops.op('Conv', [d, flippedWeights(c, correlation)], { group, dilations, pads });
  return ops.op('ConvTranspose', [d, c.inputs[1]!], { group, ...transposed(window) });
}

const biasGradient = (c: RuleContext): string =>
  c.ops.sum(
    c.ops.channelTotals.get(c.d) ?? c.d,
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
