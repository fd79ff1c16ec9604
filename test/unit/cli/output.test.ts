import { expect, it } from 'vitest';
import { duration } from '../../../infra/cli/output.ts';

it.each([
  [0, '0 ms'],
  [0.0004, '0 ms'],
  [0.25, '250 ms'],
  [0.9994, '999 ms'],
  [0.9996, '1.0 s'],
  [1.04, '1.0 s'],
  [59.94, '59.9 s'],
  [59.97, '1 min 0 s'],
  [60.4, '1 min 0 s'],
  [119.4, '1 min 59 s'],
  [119.6, '2 min 0 s'],
  [3661, '61 min 1 s'],
])('%d s is %s', (seconds, text) => expect(duration(seconds)).toBe(text));
