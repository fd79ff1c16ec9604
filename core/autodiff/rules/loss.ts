/** ONNX's own losses. Scores are `[N, C, …]`, labels `[N, …]` class ids; per-class weights are not supported. */
import { intAttribute, stringAttribute } from '../../onnx/attributes.ts';
import { range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

interface Labels {
  /** 1 at each label's class, `[N, C, …]`. */
  readonly hot: string;
  /** The loss's gradient for each label, `[N, 1, …]`: 0 where the label is ignored. */
  readonly weight: string;
}

function labelsOf(c: RuleContext): Labels {
  const { ops, dtype, node } = c;
  const [scores, labels, weights = ''] = c.inputs as [string, string, string?];
  if (weights !== '') throw c.unsupported('per-class weights');
  const shape = c.shape(scores);
  const classes = shape[1];
  if (typeof classes !== 'number') throw c.unsupported(`the symbolic number of classes ${classes}`);
  const ids = ops.cast(ops.unsqueeze(labels, [1]), 'I64');
  const classIds = ops.reshape(ops.ints(range(classes)), [classes, ...range(shape.length - 2).map(() => 1)]);
  const hot = ops.indicator(ops.op('Equal', [ids, classIds]), dtype);

  const isIgnoring = node.attribute.some((each) => each.name === 'ignore_index');
  const ignored = ops.reshape(ops.ints([intAttribute(node, 'ignore_index', -1)]), []);
  const kept = isIgnoring
    ? ops.indicator(ops.op('Not', [ops.op('Equal', [ids, ignored])]), dtype)
    : undefined;
  const masked = (value: string) => (kept === undefined ? value : ops.mul(value, kept));

  const reduction = stringAttribute(node, 'reduction', 'mean');
  if (reduction === 'none') return { hot, weight: masked(ops.unsqueeze(c.d, [1])) };
  if (reduction === 'sum') return { hot, weight: masked(c.d) };
  const count =
    kept === undefined
      ? ops.cast(ops.op('Size', [labels]), dtype)
      : ops.op('ReduceSum', [kept], { keepdims: 0 });
  return { hot, weight: masked(ops.div(c.d, count)) };
}

export const LOSS: RuleTable = {
  /** softmax(scores) − onehot(labels), weighted. */
  SoftmaxCrossEntropyLoss: (c) => [
    () => {
      const { hot, weight } = labelsOf(c);
      const probabilities = c.ops.op('Softmax', [c.inputs[0]!], { axis: 1 });
      return c.ops.mul(c.ops.sub(probabilities, hot), weight);
    },
  ],
  /** −onehot(labels), weighted. */
  NegativeLogLikelihoodLoss: (c) => [
    () => {
      const { hot, weight } = labelsOf(c);
      return c.ops.neg(c.ops.mul(hot, weight));
    },
  ],
};
