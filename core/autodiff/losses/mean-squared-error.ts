/** (y − t)². Its gradient is 2·(y − t). */
import type { LossOf } from '../../contracts/loss.ts';
import { elementwiseLoss } from './elementwise.ts';

export const meanSquaredError = elementwiseLoss<LossOf<'mean-squared-error'>>({
  activations: [],
  target: { what: 'value' },
  formula(ops, y, t, _, dtype) {
    const error = ops.sub(y, t);
    const squared = ops.mul(error, error);
    return {
      loss: squared,
      gradient: ops.mul(error, ops.scalar(dtype, 2)),
      measures: { rmse: squared, mae: ops.op('Abs', [error]) },
    };
  },
});
