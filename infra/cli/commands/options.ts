/** Option parsers and options that several commands have. */
import { type Command, InvalidArgumentError, Option } from 'commander';

/** @param range inclusive */
export function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`It must be a whole number from ${low} to ${high}.`);
    }
    return value;
  };
}

/** @param low exclusive @param high inclusive */
export function decimal(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value > low && value <= high)) {
      throw new InvalidArgumentError(`It must be a number above ${low}, at most ${high}.`);
    }
    return value;
  };
}

export function notNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < Infinity)) {
    throw new InvalidArgumentError('It must be a number, 0 or more.');
  }
  return value;
}

/** From 0 to 1, both included. */
export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError('It must be a number from 0 to 1.');
  }
  return value;
}

/** Parser of an option that may be given more than once. */
export const several = (text: string, earlier: readonly string[]): string[] => [...earlier, text];

export interface ConnectionOptions {
  readonly state?: string;
  readonly url?: string;
  readonly json?: boolean;
}

export function withConnection(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', 'router to talk to (default: the stack running here)').env('CAUSEWAY_URL'),
    )
    .addOption(stateOption())
    .option('--json', 'print one JSON value');
}

export function stateOption(): Option {
  return new Option('--state <dir>', 'state directory (default: .causeway)').env('CAUSEWAY_STATE');
}
