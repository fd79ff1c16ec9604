import fc from 'fast-check';
import { expect, it } from 'vitest';
import { matchesPattern } from '../../core/patterns.ts';

it.each([
  ['*', 'anything.at/all', true],
  ['*', '', true],
  ['*bias', 'layer1.bias', true],
  ['*bias', 'layer1.bias2', false],
  ['encoder.*', 'encoder.', true],
  ['encoder.*', 'encoders.w', false],
  ['*norm*', 'block.2.layernorm.weight', true],
  ['block.?.w', 'block.7.w', true],
  ['block.?.w', 'block.17.w', false],
  ['?', '', false],
  ['a*b*c', 'aXbYbZc', true],
  ['a*b*c', 'aXcYb', false],
  ['a.b', 'aXb', false],
  ['[ab]', 'a', false],
  ['w', 'w', true],
  ['', '', true],
])('%s on %s: %s', (pattern, name, expected) => {
  expect(matchesPattern(pattern, name)).toBe(expected);
});

it('means what the regular expression means', () => {
  const text = (letters: string[]) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 12 });
  fc.assert(
    fc.property(text(['a', 'b', '.', '*', '?']), text(['a', 'b', '.']), (pattern, name) => {
      const source = pattern
        .split('')
        .map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c === '.' ? '\\.' : c));
      expect(matchesPattern(pattern, name)).toBe(new RegExp(`^${source.join('')}$`, 's').test(name));
    }),
    { numRuns: 2_000 },
  );
});

it('does not take longer than pattern times name, where a backtracking matcher would never end', () => {
  const began = performance.now();
  expect(matchesPattern(`${'a*'.repeat(100)}b`, 'a'.repeat(256))).toBe(false);
  expect(performance.now() - began).toBeLessThan(1_000);
});
