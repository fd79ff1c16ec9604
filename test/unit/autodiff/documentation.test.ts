import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { SUPPORTED_OPERATORS } from '../../../core/autodiff/rules/table.ts';

const PAGE = fileURLToPath(new URL('../../../docs/training-engine.md', import.meta.url));
const LIST = /(<!-- operators -->\n)[^]*?(<!-- \/operators -->)/;

/** As wide as the page's own lines. */
function wrapped(words: readonly string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= 119)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}

it('the page on the training engine lists the operators there are rules for', async () => {
  const page = await readFile(PAGE, 'utf8');
  expect(page).toMatch(LIST);
  const names = SUPPORTED_OPERATORS.map(
    (name, i) => `\`${name}\`${i < SUPPORTED_OPERATORS.length - 1 ? ',' : '.'}`,
  );
  await expect(page.replace(LIST, `$1${wrapped(names)}\n$2`)).toMatchFileSnapshot(PAGE);
});
