/** The words rules of one tensor are written in: dx = d · f'(x), from x or from y = f(x), what is cheaper. */
import type { RuleContext, RuleTable } from '../rule.ts';

export interface Unary extends RuleContext {
  readonly x: string;
  readonly y: string;
  /** A scalar constant of the node's element type. */
  readonly k: (value: number) => string;
  /** 1 where the comparison holds. */
  readonly where: (comparison: 'Greater' | 'Less', a: string, b: string) => string;
}

/** A rule for one input, given the formula of its gradient. */
export const unary =
  (formula: (c: Unary) => string): RuleTable[string] =>
  (c) => [
    () => {
      const { ops, dtype } = c;
      return formula({
        ...c,
        x: c.inputs[0]!,
        y: c.outputs[0]!,
        k: (value) => ops.scalar(dtype, value),
        where: (comparison, a, b) => ops.indicator(ops.op(comparison, [a, b]), dtype),
      });
    },
  ];
