import { expect, test } from 'vitest';
import { importLine, showImport } from '../../../infra/cli/datasets/progress.ts';

const at = (done: number) => ({ stage: 'reading', done, total: 20e6, shards: 0 }) as const;

/** Shows progress once a second, of a clock that is told. */
function shown(options: { readonly isTTY: boolean; readonly quiet?: boolean }, seconds: number): string[] {
  const written: string[] = [];
  let now = 0;
  const stream = { isTTY: options.isTTY, write: (text: string) => written.push(text) };
  const display = showImport(stream, { now: () => now, quiet: options.quiet === true });
  for (let second = 0; second < seconds; second++) {
    now = second * 1000;
    display.show(at(second * 1e6));
  }
  display.end();
  display.end();
  return written;
}

test('a line says the stage, how much of it, and what is stored', () => {
  expect(importLine(at(5e6))).toBe('██████░░░░░░░░░░░░░░░░░░ looking at the rows · 5.0 of 20 MB');
  expect(importLine({ stage: 'writing', done: 0, total: 0, shards: 3 })).toMatch(
    /^█{24} storing .* 3 shards stored$/,
  );
});

test('a terminal has one line that moves and goes', () => {
  const written = shown({ isTTY: true }, 4);
  expect(written).toHaveLength(4);
  expect(written.every((text) => text.startsWith('\r\u001b[K') && !text.includes('\n'))).toBe(true);
  expect(written.at(-1)).toBe('\r\u001b[K');
});

test('elsewhere there is a plain line every five seconds, and none of what is short or quiet', () => {
  const written = shown({ isTTY: false }, 12);
  expect(written.map((text) => /([\d.]+) of 20 MB\n$/.exec(text)?.[1])).toEqual(['5.0', '10']);
  expect(shown({ isTTY: false }, 4)).toEqual([]);
  expect(shown({ isTTY: true, quiet: true }, 12)).toEqual([]);
});
