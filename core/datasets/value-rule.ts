/** What values of a dataset tensor must be for training to mean anything; kept with the training graph. */
import { z } from 'zod';
import { Name } from '../contracts/primitives.ts';
import { Fault } from '../errors.ts';
import type { NumericArray } from '../tensors/dtypes.ts';

export const ValueRule = z.strictObject({
  tensor: Name,
  /** What one value is, in messages. */
  what: z.string(),
  /** Inclusive bounds of the stored values, which must be finite. */
  low: z.number().optional(),
  high: z.number().optional(),
  /** Allowed besides. */
  except: z.number().optional(),
});
export type ValueRule = z.infer<typeof ValueRule>;

/** @throws Fault `unprocessable` naming the first value that is not finite or out of bounds */
export function checkValues(rule: ValueRule, data: NumericArray): void {
  const { tensor, what, low = -Infinity, high = Infinity, except } = rule;
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if ((value >= low && value <= high && Number.isFinite(value)) || value === except) continue;
    throw new Fault('unprocessable', `${tensor} has ${what} ${value} at element ${i}: ${allowed(rule)}`, {
      field: `dataset.${tensor}`,
    });
  }
}

function allowed({ low, high, except }: ValueRule): string {
  const besides = except === undefined ? '' : ` and ${except}`;
  if (low !== undefined && high !== undefined) return `allowed are ${low} to ${high}${besides}`;
  if (low !== undefined) return `allowed is ${low} or more${besides}`;
  return 'it must be a finite number';
}
