/** What deployments kept as hard (docs/cascade.md), out of the bucket. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hardExamplesPrefix } from '../../core/contracts/keys.ts';
import { sha256Hex } from '../../core/storage/blobs.ts';
import { eachObject } from '../../core/storage/list.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { makeFolder } from './folder.ts';

export interface HardExample {
  readonly key: string;
  /** `2026-01-31`, UTC. */
  readonly day: string;
  readonly bytes: number;
}

/** Oldest day first. @param day only of that one; '' for all */
export async function listHardExamples(
  store: ObjectStore,
  model: string,
  day: string,
): Promise<HardExample[]> {
  const found: HardExample[] = [];
  for await (const { key, size } of eachObject(store, hardExamplesPrefix(model, day)))
    found.push({ key, day: key.slice(hardExamplesPrefix(model).length).split('/')[0]!, bytes: size });
  return found;
}

/**
 * Into `<folder>/<day>-<sha256>.safetensors`; what is there already, whole, is not fetched again.
 * @returns how many were fetched
 * @throws Fault `invalid` where the folder cannot be written into
 */
export async function fetchHardExamples(
  store: ObjectStore,
  examples: readonly HardExample[],
  folder: string,
): Promise<number> {
  await makeFolder('to', folder);
  let fetched = 0;
  for (const { key, day } of examples) {
    const name = key.split('/').at(-1)!;
    const file = join(folder, `${day}-${name}`);
    const there = await readFile(file).catch(() => undefined);
    if (there !== undefined && `${await sha256Hex(new Uint8Array(there))}.safetensors` === name) continue;
    const object = await store.get(key);
    // Removed since it was listed: they are nobody's to keep for ever.
    if (object === undefined) continue;
    await writeFile(`${file}.part`, object.body);
    await rename(`${file}.part`, file);
    fetched += 1;
  }
  return fetched;
}
