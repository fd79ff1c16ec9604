/** Rows are looked at once before they are trained on: what is wrong with them is no matter of the steps. */
import { checkValues, type ValueRule } from '../../../core/datasets/value-rule.ts';
import { Fault } from '../../../core/errors.ts';
import type { Rows } from './batches.ts';
import type { TrainingProgram } from './program.ts';

/**
 * @returns those of the tensors that the program reads
 * @throws Fault `unprocessable` where one is missing, or a value of it is not what the loss is defined for
 */
export function checkRows({ inputs, rules }: Pick<TrainingProgram, 'inputs' | 'rules'>, rows: Rows): Rows {
  const read = Object.fromEntries(
    inputs.map(({ name }) => {
      const value = rows[name];
      if (value === undefined)
        throw new Fault('unprocessable', `the rows have no tensor ${name}`, { field: `dataset.${name}` });
      return [name, value];
    }),
  );
  for (const rule of rules) checkRule(rule, read);
  return read;
}

function checkRule(rule: ValueRule, rows: Rows): void {
  const value = rows[rule.tensor];
  if (value !== undefined) checkValues(rule, value.data);
}
