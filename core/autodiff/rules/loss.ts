/** ONNX's own losses. Scores are `[N, C, …]`, labels `[N, …]` class ids, class weights `[C]`. */
import { intAttribute, stringAttribute } from '../../onnx/attributes.ts';
import { range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

interface Labels {
  /** 1 at each label's class, `[N, C, …]`. */
  readonly hot: string;
  /** The loss's gradient for each label, `[N, 1, …]`: 0 where the label is ignored. */
  readonly weight: string;
}

/** @param d the gradient of the loss */
function labelsOf(c: RuleContext, d: string): Labels {
  const { ops, dtype, node } = c;
  const [scores, labels, weights = ''] = c.inputs as [string, string, string?];
  const shape = c.shape(scores);
  const classes = shape[1];
  if (typeof classes !== 'number') throw c.unsupported(`the symbolic number of classes ${classes}`);
  const perClass = [classes, ...range(shape.length - 2).map(() => 1)];
  const ids = ops.cast(ops.unsqueeze(labels, [1]), 'I64');
  const hot = ops.indicator(ops.op('Equal', [ids, ops.reshape(ops.ints(range(classes)), perClass)]), dtype);

  // How much each label counts, `[N, 1, …]`; undefined where all count the same.
  const isIgnoring = node.attribute.some((each) => each.name === 'ignore_index');
  const ignored = ops.reshape(ops.ints([intAttribute(node, 'ignore_index', -1)]), []);
  const kept = isIgnoring
    ? ops.indicator(ops.op('Not', [ops.op('Equal', [ids, ignored])]), dtype)
    : undefined;
  const importance =
    weights === '' ? undefined : ops.sum(ops.mul(hot, ops.reshape(weights, perClass)), [1], true);
  const factor =
    kept !== undefined && importance !== undefined ? ops.mul(kept, importance) : (kept ?? importance);
  const times = (value: string) => (factor === undefined ? value : ops.mul(value, factor));

  const reduction = stringAttribute(node, 'reduction', 'mean');
  if (reduction === 'none') return { hot, weight: times(ops.unsqueeze(d, [1])) };
  if (reduction === 'sum') return { hot, weight: times(d) };
  const total =
    factor === undefined
      ? ops.cast(ops.op('Size', [labels]), dtype)
      : ops.op('ReduceSum', [factor], { keepdims: 0 });
  return { hot, weight: times(ops.div(d, total)) };
}

/** For the gradient of the first output; the others must not influence the loss. */
export const LOSS: RuleTable = {
  /** −onehot(labels), weighted. */
  NegativeLogLikelihoodLoss: (c) => [
    () => {
      const { hot, weight } = labelsOf(c, c.d);
      return c.ops.neg(c.ops.mul(hot, weight));
    },
  ],
};

export const LOSS_WITH_OUTPUTS: RuleTable = {
  /** softmax(scores) − onehot(labels), weighted; and as LogSoftmax for the log-probabilities, its second output. */
  SoftmaxCrossEntropyLoss: (c) => [
    () => {
      const { ops } = c;
      const [d, dLog] = c.gradients;
      const probabilities = ops.op('Softmax', [c.inputs[0]!], { axis: 1 });
      const parts: string[] = [];
      if (d !== undefined) {
        const { hot, weight } = labelsOf(c, d);
        parts.push(ops.mul(ops.sub(probabilities, hot), weight));
      }
      if (dLog !== undefined) parts.push(ops.sub(dLog, ops.mul(probabilities, ops.sum(dLog, [1], true))));
      return parts.length === 2 ? ops.add(parts[0]!, parts[1]!) : parts[0]!;
    },
  ],
};
