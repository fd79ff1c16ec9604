import { expect, test } from 'vitest';
import { checkValues } from '../../../core/datasets/value-rule.ts';

const ids = { tensor: 'label', what: 'class id', low: 0, high: 9 };

test('values within bounds, and the one allowed besides, pass', () => {
  expect(() => checkValues(ids, Int32Array.of(0, 9, 3))).not.toThrow();
  expect(() => checkValues({ ...ids, except: -100 }, BigInt64Array.of(0n, -100n))).not.toThrow();
  expect(() => checkValues({ tensor: 'y', what: 'value' }, Float32Array.of(-1e30, 2))).not.toThrow();
});

test.each([
  [
    'an id beyond the last',
    ids,
    Int32Array.of(0, 9, 10),
    /label has class id 10 at element 2: allowed are 0 to 9/,
  ],
  ['a negative id', ids, BigInt64Array.of(-1n), /class id -1 at element 0/],
  [
    'an id that is not the ignored one',
    { ...ids, except: -100 },
    Int32Array.of(-100, -99),
    /-99 .* and -100/,
  ],
  [
    'no number',
    { tensor: 'y', what: 'value' },
    Float32Array.of(1, NaN),
    /y has value NaN at element 1.*finite/,
  ],
  ['infinity', { tensor: 'w', what: 'weight', low: 0 }, Float32Array.of(Infinity), /w has weight Infinity/],
  ['a negative weight', { tensor: 'w', what: 'weight', low: 0 }, Float32Array.of(-1), /allowed is 0 or more/],
])('refuses %s', (_, rule, data, message) => {
  expect(() => checkValues(rule, data)).toThrow(message);
});
