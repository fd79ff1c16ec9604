/** Fetches a job's output: every file checked against the manifest, those already there left alone. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OutputManifest } from '../../core/contracts/fan-out.ts';
import { outputManifestKey } from '../../core/contracts/keys.ts';
import { Fault } from '../../core/errors.ts';
import { sha256Hex } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { makeFolder } from './folder.ts';

/**
 * @param onFile called with how many files there are now, and how many there will be
 * @throws Fault `not_found` where the job has no output, `invalid` where the folder cannot be written into
 */
export async function downloadOutput(
  store: ObjectStore,
  job: string,
  folder: string,
  onFile: (done: number, total: number) => void = () => {},
): Promise<OutputManifest> {
  const manifest = await getJson(store, outputManifestKey(job), OutputManifest);
  if (manifest === undefined)
    throw new Fault('not_found', `${job} has no output: it has not ended, or gives none`, { field: 'job' });
  await makeFolder('to', folder);
  for (const [done, { key, sha256 }] of manifest.shards.entries()) {
    const file = join(folder, basename(key));
    if (!(await holds(file, sha256))) {
      const object = await store.get(key);
      if (object === undefined) throw new Fault('internal', `${key} is missing`);
      if ((await sha256Hex(object.body)) !== sha256)
        throw new Fault('internal', `${key} is corrupt: its SHA-256 is not the manifest's`);
      // Whole or not at all, whenever this is interrupted.
      await writeFile(`${file}.part`, object.body);
      await rename(`${file}.part`, file);
    }
    onFile(done + 1, manifest.shards.length);
  }
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function holds(file: string, sha256: string): Promise<boolean> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes !== undefined && (await sha256Hex(new Uint8Array(bytes))) === sha256;
}
