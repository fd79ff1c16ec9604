/** What a Worker is built from, as one digest: the same digest, the same bundle. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Everything the Workers' bundles can hold; package-lock.json stands for node_modules. */
const SHARED = ['core', 'functions', 'infra/local/s3-gateway', 'wrangler.toml', 'package-lock.json'];

/** Wrangler leaves temporary files beside each configuration. */
const WRANGLERS_OWN = `${sep}.wrangler${sep}`;

async function filesUnder(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return [];
  if (found.isFile()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .map((entry) => ({ entry, file: join(entry.parentPath, entry.name) }))
    .filter(({ entry, file }) => entry.isFile() && !file.includes(WRANGLERS_OWN))
    .map(({ file }) => file);
}

/** @param configPath absolute; the folder it lies in belongs to the sources, unless it is the repository itself */
export async function digestSources(configPath: string): Promise<string> {
  const folder = dirname(configPath);
  const roots = [
    ...SHARED.map((path) => join(ROOT, path)),
    relative(ROOT, folder) === '' ? configPath : folder,
  ];
  const files = new Set((await Promise.all(roots.map(filesUnder))).flat());
  const hash = createHash('sha256');
  for (const file of [...files].sort()) {
    const bytes = await readFile(file);
    hash.update(`${relative(ROOT, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}
