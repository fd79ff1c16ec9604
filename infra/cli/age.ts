import { InvalidArgumentError } from 'commander';

/** Seconds of each unit. */
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90m`, `24h`, `7d`; a bare number is seconds. @returns seconds */
export function parseAge(text: string): number {
  const [, amount, unit = 's'] = /^(\d+)([smhd])?$/.exec(text) ?? [];
  const seconds = UNITS[unit];
  if (amount === undefined || seconds === undefined)
    throw new InvalidArgumentError('It must be a whole number with a unit: 90m, 24h, 7d, or seconds.');
  return Number(amount) * seconds;
}
