/** Dropout (Srivastava et al. 2014, JMLR 15:1929). */
import type { RuleContext, RuleTable } from '../rule.ts';

/**
 * What the elements that were kept are multiplied by: 1/(1 − ratio) while training. The ratio and the mode are known
 * only at run time where they are inputs of the graph.
 */
function keptScale(c: RuleContext, training: string): string {
  const { ops, dtype } = c;
  const ratio = c.inputs[1] ?? '';
  const one = ops.scalar(dtype, 1);
  const dropped = ratio === '' ? ops.scalar(dtype, 0.5) : ops.cast(ratio, dtype);
  const scale = ops.op('Reciprocal', [ops.sub(one, dropped)]);
  return c.constant(training) === undefined ? ops.op('Where', [training, scale, one]) : scale;
}

export const DROPOUT: RuleTable = {
  /** Through the mask the forward node drew; without training it does nothing. */
  Dropout: (c) => [
    () => {
      const { ops, d, dtype } = c;
      const training = c.inputs[2] ?? '';
      if (training === '' || Number(c.constant(training)?.data[0] ?? 1) === 0) return d;
      return ops.mul(d, ops.mul(ops.cast(c.expose(1), dtype), keptScale(c, training)));
    },
  ],
};
