/** Normalizations over an axis. */
import { intAttribute } from '../../onnx/attributes.ts';
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
 * dx = (q − mean(q) − x̂·mean(q·x̂))/σ. Mean and 1/σ are outputs of the forward operator.
 */
function layerNormalization(c: RuleContext): ReturnType<RuleTable[string]> {
  const { ops, d } = c;
  const [x, scale, bias = ''] = c.inputs as [string, string, string?];
  const shape = c.shape(x);
  const axis = positiveAxis(intAttribute(c.node, 'axis', -1), shape.length);
  const axes = range(shape.length).slice(axis);
  // The operator gives its statistics in float32 whatever it normalizes.
  const statistic = (output: number) =>
    c.dtype === 'F32' ? c.expose(output) : ops.cast(c.expose(output), c.dtype);
  const inverseDeviation = () => statistic(2);
  let normalized: string | undefined;
  const xHat = () => (normalized ??= ops.mul(ops.sub(x, statistic(1)), inverseDeviation()));
  const mean = (value: string) => ops.op('ReduceMean', [value, ops.ints(axes)], { keepdims: 1 });
  return [
    () => {
      const q = ops.mul(d, scale);
      const centred = ops.sub(q, mean(q));
      return ops.mul(inverseDeviation(), ops.sub(centred, ops.mul(xHat(), mean(ops.mul(q, xHat())))));
    },
    () => ops.unbroadcast(ops.mul(d, xHat()), shape, c.shape(scale)),
    () => ops.unbroadcast(d, shape, c.shape(bias)),
  ];
}

export const NORMALIZE: RuleTable = {
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  LayerNormalization: layerNormalization,
};
