import { Fault } from '../../../core/errors.ts';

/** @throws Fault `invalid` naming the option where the value is no whole number in the range */
export function checkRange(field: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new Fault('invalid', `${field}: ${value} is no whole number from ${low} to ${high}`, { field });
}
