/**
 * Huber 1964, "Robust Estimation of a Location Parameter": with e = y − t and c = e held within ±δ, c·(e − c/2), which
 * is e²/2 up to δ and δ·(|e| − δ/2) beyond. Its gradient is c.
 */
import type { LossOf } from '../../contracts/loss.ts';
import { elementwiseLoss } from './elementwise.ts';

export const huber = elementwiseLoss<LossOf<'huber'>>({
  activations: [],
  target: { what: 'value' },
  formula(ops, y, t, { delta }, dtype) {
    const constant = (value: number) => ops.scalar(dtype, value);
    const error = ops.sub(y, t);
    const held = ops.op('Clip', [error, constant(-delta), constant(delta)]);
    return {
      loss: ops.mul(held, ops.sub(error, ops.mul(held, constant(0.5)))),
      gradient: held,
      measures: { mae: ops.op('Abs', [error]) },
    };
  },
});
