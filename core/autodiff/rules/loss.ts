/** ONNX's own losses. Scores are `[N, C, …]`, labels `[N, …]` class ids, class weights `[C]`. */
import { intAttribute, stringAttribute } from '../../onnx/attributes.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

interface Labels {
  /** Class ids `[N, 1, …]`, 0 where the label is ignored. */
  readonly ids: string;
  /** The loss's gradient for each label, `[N, 1, …]` or a scalar: 0 where the label is ignored. */
  readonly weight: string;
}

/** @param d the gradient of the loss */
function labelsOf(c: RuleContext, d: string): Labels {
  const { ops, dtype, node } = c;
  const [, labels, weights = ''] = c.inputs as [string, string, string?];
  const column = ops.cast(ops.unsqueeze(labels, [1]), 'I64');

  const isIgnoring = node.attribute.some((each) => each.name === 'ignore_index');
  const ignored = ops.reshape(ops.ints([intAttribute(node, 'ignore_index', -1)]), []);
  const isKept = isIgnoring ? ops.op('Not', [ops.op('Equal', [column, ignored])]) : undefined;
  // The index that is ignored need not be a class at all.
  const ids = isKept === undefined ? column : ops.mul(column, ops.cast(isKept, 'I64'));

  // How much each label counts; undefined where all count the same.
  const kept = isKept === undefined ? undefined : ops.indicator(isKept, dtype);
  const importance = weights === '' ? undefined : ops.op('Gather', [weights, ids]);
  const factor =
    kept !== undefined && importance !== undefined ? ops.mul(kept, importance) : (kept ?? importance);
  const times = (value: string) => (factor === undefined ? value : ops.mul(value, factor));

  const reduction = stringAttribute(node, 'reduction', 'mean');
  if (reduction === 'none') return { ids, weight: times(ops.unsqueeze(d, [1])) };
  if (reduction === 'sum') return { ids, weight: times(d) };
  const total =
    factor === undefined
      ? ops.cast(ops.op('Size', [labels]), dtype)
      : ops.op('ReduceSum', [factor], { keepdims: 0 });
  return { ids, weight: times(ops.div(d, total)) };
}

/** The scores-shaped value with each label's weight taken away at its class. */
function subtractAtClass(c: RuleContext, value: string, { ids, weight }: Labels): string {
  const { ops } = c;
  const updates = ops.op('Expand', [ops.neg(weight), ops.op('Shape', [ids])]);
  return ops.op('ScatterElements', [value, ids, updates], { axis: 1, reduction: 'add' });
}

/** For the gradient of the first output; the others must not influence the loss. */
export const LOSS: RuleTable = {
  /** −onehot(labels), weighted. */
  NegativeLogLikelihoodLoss: (c) => [
    () => {
      const scores = c.inputs[0]!;
      return subtractAtClass(c, c.ops.zeros(scores, c.shape(scores), c.dtype), labelsOf(c, c.d));
    },
  ],
};

export const LOSS_WITH_OUTPUTS: RuleTable = {
  /** softmax(scores) − onehot(labels), weighted; and as LogSoftmax for the log-probabilities, its second output. */
  SoftmaxCrossEntropyLoss: (c) => [
    () => {
      const { ops } = c;
      const [d, dLog] = c.gradients;
      const probabilities = ops.op('Exp', [c.expose(1)]);
      const parts: string[] = [];
      if (d !== undefined) {
        const labels = labelsOf(c, d);
        parts.push(subtractAtClass(c, ops.mul(probabilities, labels.weight), labels));
      }
      if (dLog !== undefined) parts.push(ops.sub(dLog, ops.mul(probabilities, ops.sum(dLog, [1], true))));
      return parts.length === 2 ? ops.add(parts[0]!, parts[1]!) : parts[0]!;
    },
  ],
};
