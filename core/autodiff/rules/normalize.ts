/** Normalizations over an axis. */
import { floatAttribute, intAttribute } from '../../onnx/attributes.ts';
import { positiveAxis, range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

/** y·(d − Σ d·y) */
const softmax: RuleTable[string] = (c) => [
  () => {
    const { ops, d } = c;
    const y = c.outputs[0]!;
    const dy = ops.mul(d, y);
    return ops.sub(dy, ops.mul(y, ops.sum(dy, [intAttribute(c.node, 'axis', -1)], true)));
  },
];

/** d − exp(y)·Σ d */
const logSoftmax: RuleTable[string] = (c) => [
  () => {
    const { ops, d } = c;
    const total = ops.sum(d, [intAttribute(c.node, 'axis', -1)], true);
    return ops.sub(d, ops.mul(ops.op('Exp', [c.outputs[0]!]), total));
  },
];

/**
 * Layer normalization (Ba et al. 2016, arXiv:1607.06450). With x̂ = (x − mean)/σ and q = d·scale:
 * dx = (q − mean(q) − x̂·mean(q·x̂))/σ. Mean and 1/σ are outputs of the forward operator. Both means are taken as
 * products with the scale, of d and of the d·x̂ that the scale's own gradient needs.
 */
function layerNormalization(c: RuleContext): ReturnType<RuleTable[string]> {
  const { ops, d, dtype } = c;
  const [x, scale, bias = ''] = c.inputs as [string, string, string?];
  const shape = c.shape(x);
  const axis = positiveAxis(intAttribute(c.node, 'axis', -1), shape.length);
  const axes = range(shape.length).slice(axis);
  // The operator gives its statistics in float32 whatever it normalizes.
  const statistic = (output: number) =>
    dtype === 'F32' ? c.expose(output) : ops.cast(c.expose(output), dtype);
  const once = (make: () => string) => {
    let value: string | undefined;
    return () => (value ??= make());
  };
  const inverseDeviation = once(() => statistic(2));
  const normalized = once(() => ops.mul(ops.sub(x, statistic(1)), inverseDeviation()));
  const slope = once(() => ops.mul(d, normalized()));
  const width = shape[axis];
  const mean = (value: string) => {
    if (axes.length > 1 || typeof width !== 'number' || c.shape(scale).length !== 1)
      return ops.op('ReduceMean', [ops.mul(value, scale), ops.ints(axes)], { keepdims: 1 });
    const weights = ops.div(ops.reshape(scale, [-1, 1]), ops.scalar(dtype, width));
    return ops.op('MatMul', [value, weights]);
  };
  return [
    () => {
      const fitted = ops.add(ops.mul(normalized(), mean(slope())), mean(d));
      return ops.mul(inverseDeviation(), ops.sub(ops.mul(d, scale), fitted));
    },
    () => ops.unbroadcast(slope(), c.dtype, shape, c.shape(scale), scale),
    () => ops.unbroadcast(d, c.dtype, shape, c.shape(bias), bias),
  ];
}

/** y = x/‖x‖: dx = (d − g·Σ d·y)/‖x‖, where g is the norm's own gradient; 0 for the zero vector. */
const lpNormalization: RuleTable[string] = (c) => [
  () => {
    const { ops, d, dtype } = c;
    const x = c.inputs[0]!;
    const y = c.outputs[0]!;
    const axis = ops.ints([intAttribute(c.node, 'axis', -1)]);
    const isEuclidean = intAttribute(c.node, 'p', 2) === 2;
    const norm = ops.op(isEuclidean ? 'ReduceL2' : 'ReduceL1', [x, axis], { keepdims: 1 });
    const along = ops.op('ReduceSum', [ops.mul(d, y), axis], { keepdims: 1 });
    const slope = isEuclidean ? y : ops.op('Sign', [x]);
    const zero = ops.scalar(dtype, 0);
    const gradient = ops.div(ops.sub(d, ops.mul(slope, along)), norm);
    return ops.op('Where', [ops.op('Equal', [norm, zero]), zero, gradient]);
  },
];

/**
 * Local response normalization over channels (Krizhevsky et al. 2012). y = x·s^−β with s = bias + α/n·Σ x² over a
 * window of n channels: dx = d·s^−β − 2αβ/n·x·Σ d·x·s^(−β−1), the sum over the windows that contain the channel.
 */
const localResponse: RuleTable[string] = (c) => [
  () => {
    const { ops, d, dtype, node } = c;
    const x = c.inputs[0]!;
    const channels = c.shape(x)[1];
    const size = intAttribute(node, 'size');
    if (size % 2 === 0) throw c.unsupported(`size ${size}: only odd sizes are supported`);
    if (typeof channels !== 'number') throw c.unsupported(`the symbolic number of channels ${channels}`);
    const alpha = floatAttribute(node, 'alpha', 1e-4);
    const beta = floatAttribute(node, 'beta', 0.75);
    const k = (value: number) => ops.scalar(dtype, value);
    // Channels as the height of an image with one channel, so that a pool averages over neighbouring ones. The runtime
    // takes odd windows only: they are their own transpose.
    const half = Math.floor(size / 2);
    const windowMean = (value: string) => {
      const image = ops.reshape(value, [0, 1, channels, -1]);
      const window = { kernel_shape: [size, 1], pads: [half, 0, half, 0], count_include_pad: 1 };
      return ops.like(ops.op('AveragePool', [image], window), x, c.shape(x));
    };
    const s = ops.add(k(floatAttribute(node, 'bias', 1)), ops.mul(k(alpha), windowMean(ops.mul(x, x))));
    const scaled = ops.mul(d, ops.op('Pow', [s, k(-beta)]));
    const around = windowMean(ops.div(ops.mul(scaled, x), s));
    return ops.sub(scaled, ops.mul(ops.mul(k(2 * alpha * beta), x), around));
  },
];

export const NORMALIZE: RuleTable = {
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  LayerNormalization: layerNormalization,
  LpNormalization: lpNormalization,
  LRN: localResponse,
};
