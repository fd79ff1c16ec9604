import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { hardExampleKey } from '../../../core/contracts/keys.ts';
import { sha256Hex } from '../../../core/storage/blobs.ts';
import { fetchHardExamples, listHardExamples } from '../../../infra/cli/hard-examples.ts';
import { memoryStore } from '../memory-store.ts';

test('what was kept of a model is listed by day, and fetched once', async () => {
  const store = memoryStore();
  const keep = async (model: string, day: string, text: string) => {
    const file = new TextEncoder().encode(text);
    const sha256 = await sha256Hex(file);
    await store.put(hardExampleKey(model, day, sha256), file, {});
    return `${day}-${sha256}.safetensors`;
  };
  const names = [await keep('digits', '2026-01-30', 'one'), await keep('digits', '2026-01-31', 'two')];
  await keep('digits-large', '2026-01-31', 'of another model');

  const all = await listHardExamples(store, 'digits', '');
  expect(all.map(({ day, bytes }) => [day, bytes])).toEqual([
    ['2026-01-30', 3],
    ['2026-01-31', 3],
  ]);
  expect(await listHardExamples(store, 'digits', '2026-01-31')).toEqual(all.slice(1));
  expect(await listHardExamples(store, 'nope', '')).toEqual([]);

  const folder = await mkdtemp(join(tmpdir(), 'causeway-hard-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  expect(await fetchHardExamples(store, all, folder)).toBe(2);
  expect((await readdir(folder)).toSorted()).toEqual(names);
  expect(await readFile(join(folder, names[1]!), 'utf8')).toBe('two');
  expect(await fetchHardExamples(store, all, folder)).toBe(0);
  // Half a file is not the file.
  await writeFile(join(folder, names[0]!), 'on');
  expect(await fetchHardExamples(store, all, folder)).toBe(1);
  expect(await readFile(join(folder, names[0]!), 'utf8')).toBe('one');
});
