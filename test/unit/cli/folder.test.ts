/** The folder of `--to` and `--out`. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFolder } from '../../../infra/cli/folder.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'causeway-folder-'));
  await writeFile(join(root, 'file'), '');
});
afterAll(() => rm(root, { recursive: true }));

test('it is made with those above it, or is there already', async () => {
  const folder = join(root, 'a', 'b');
  await makeFolder('to', folder);
  await makeFolder('to', folder);
  expect((await stat(folder)).isDirectory()).toBe(true);
});

test.each([
  ['a file', 'file', 'ENOTDIR'],
  ['below a file', 'file/below', 'ENOTDIR'],
])('%s is refused', async (_, name, code) => {
  const folder = join(root, name);
  await expect(makeFolder('to', folder)).rejects.toMatchObject({
    code: 'invalid',
    field: 'to',
    message: `--to: ${folder} is no folder that can be written into (${code})`,
  });
});

test.runIf(process.platform === 'linux')('where no folder can be made it says so, and ends', async () => {
  await expect(makeFolder('out', '/proc/causeway')).rejects.toThrow('--out: /proc/causeway is no folder');
});
