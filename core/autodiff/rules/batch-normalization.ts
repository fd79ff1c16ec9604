/** Normalizations of images: over the batch, over each image, over groups of channels. */
import { floatAttribute, intAttribute } from '../../onnx/attributes.ts';
import { range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';
import { channelsOf } from './window.ts';

/** A vector with one value per channel, so that it broadcasts against `[N, C, …]`. */
const perChannel = (c: RuleContext, vector: string): string =>
  c.ops.unsqueeze(vector, range(c.shape(c.inputs[0]!).length - 1).slice(1));

/** Sums over everything but the channels. */
const overChannels = (c: RuleContext, value: string): string =>
  c.ops.sum(
    value,
    range(c.shape(c.inputs[0]!).length).filter((axis) => axis !== 1),
    false,
  );

interface Standardized {
  /** x̂ = (x − mean)/σ */
  readonly xHat: string;
  /** The gradient of x, given that of x̂. */
  readonly back: (gradient: string) => string;
}

/** By statistics over some axes: with q the gradient of x̂, dx = (q − mean(q) − x̂·mean(q·x̂))/σ. */
function standardize(c: RuleContext, x: string, axes: readonly number[]): Standardized {
  const { ops, dtype } = c;
  const mean = (value: string) => ops.op('ReduceMean', [value, ops.ints(axes)], { keepdims: 1 });
  const centred = ops.sub(x, mean(x));
  const epsilon = ops.scalar(dtype, floatAttribute(c.node, 'epsilon', 1e-5));
  const deviation = ops.op('Sqrt', [ops.add(mean(ops.mul(centred, centred)), epsilon)]);
  const xHat = ops.div(centred, deviation);
  return {
    xHat,
    back: (q) => ops.div(ops.sub(ops.sub(q, mean(q)), ops.mul(xHat, mean(ops.mul(q, xHat)))), deviation),
  };
}

const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => (made ??= make());
};

/**
 * Batch normalization (Ioffe & Szegedy 2015, arXiv:1502.03167). Trained, by the statistics of the batch, on which the
 * gradient depends; else by given ones, which are inputs like any other.
 */
const batchNormalization: RuleTable[string] = (c) => {
  const { ops, d, dtype } = c;
  const [x, scale, , mean, variance] = c.inputs as [string, string, string, string, string];
  const dBias = once(() => overChannels(c, d));
  if (intAttribute(c.node, 'training_mode', 0) === 1) {
    const axes = range(c.shape(x).length).filter((axis) => axis !== 1);
    const standardized = once(() => standardize(c, x, axes));
    const zeros = (name: string) => () => ops.zeros(name, c.shape(name), dtype);
    return [
      () => standardized().back(ops.mul(d, perChannel(c, scale))),
      () => overChannels(c, ops.mul(d, standardized().xHat)),
      dBias,
      zeros(mean),
      zeros(variance),
    ];
  }
  const epsilon = ops.scalar(dtype, floatAttribute(c.node, 'epsilon', 1e-5));
  const inverse = once(() => ops.op('Reciprocal', [ops.op('Sqrt', [ops.add(variance, epsilon)])]));
  const slope = once(() => ops.mul(scale, inverse()));
  const dScale = once(() => ops.mul(inverse(), overChannels(c, ops.mul(d, ops.sub(x, perChannel(c, mean))))));
  return [
    () => ops.mul(d, perChannel(c, slope())),
    dScale,
    dBias,
    () => ops.neg(ops.mul(slope(), dBias())),
    () => ops.mul(ops.scalar(dtype, -0.5), ops.mul(ops.mul(slope(), inverse()), dScale())),
  ];
};

/** Instance normalization (Ulyanov et al. 2016, arXiv:1607.08022). */
const instanceNormalization: RuleTable[string] = (c) => {
  const { ops, d } = c;
  const [x, scale] = c.inputs as [string, string];
  const standardized = once(() => standardize(c, x, range(c.shape(x).length).slice(2)));
  return [
    () => standardized().back(ops.mul(d, perChannel(c, scale))),
    () => overChannels(c, ops.mul(d, standardized().xHat)),
    () => overChannels(c, d),
  ];
};

/** Group normalization (Wu & He 2018, arXiv:1803.08494). */
const groupNormalization: RuleTable[string] = (c) => {
  const { ops, d } = c;
  const [x, scale] = c.inputs as [string, string];
  const channels = channelsOf(c, x);
  const groups = intAttribute(c.node, 'num_groups');
  // A group's elements in a row; then channels apart again, which a 0 in a Reshape and the rest in a row suffice for.
  const grouped = (value: string) => ops.reshape(value, [0, groups, -1]);
  const ungrouped = (value: string) => ops.reshape(value, [0, channels, -1]);
  const standardized = once(() => standardize(c, grouped(x), [2]));
  const total = (value: string) => ops.sum(ungrouped(value), [0, 2], false);
  return [
    () => ops.like(standardized().back(grouped(ops.mul(d, perChannel(c, scale)))), x, c.shape(x)),
    () => total(ops.mul(ungrouped(d), ungrouped(standardized().xHat))),
    () => total(d),
  ];
};

export const BATCH_NORMALIZATION: RuleTable = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
};
