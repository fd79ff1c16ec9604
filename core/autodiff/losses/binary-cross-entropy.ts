/** −t·log σ(z) − (1−t)·log(1−σ(z)) on logits z. Its gradient is σ(z) − t. */
import type { LossOf } from '../../contracts/loss.ts';
import { elementwiseLoss } from './elementwise.ts';

export const binaryCrossEntropy = elementwiseLoss<LossOf<'binary-cross-entropy'>>({
  activations: ['Sigmoid'],
  target: { what: 'probability', low: 0, high: 1 },
  formula(ops, z, t, _, dtype) {
    const constant = (value: number) => ops.scalar(dtype, value);
    // max(z, 0) − z·t + log(1 + exp(−|z|)): no exponential of a large number, no difference of two.
    const tail = ops.op('Exp', [ops.neg(ops.op('Abs', [z]))]);
    const softplus = ops.op('Log', [ops.add(tail, constant(1))]);
    const loss = ops.add(ops.sub(ops.op('Relu', [z]), ops.mul(z, t)), softplus);
    const isYes = (value: string, above: number) => ops.op('Greater', [value, constant(above)]);
    const hits = ops.op('Equal', [isYes(z, 0), isYes(t, 0.5)]);
    return {
      loss,
      gradient: ops.sub(ops.op('Sigmoid', [z]), t),
      measures: { accuracy: ops.indicator(hits, dtype) },
    };
  },
});
