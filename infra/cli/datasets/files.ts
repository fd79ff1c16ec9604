/** Files of this machine as core's importers read them. */
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { DataFile } from '../../../core/datasets/data-file.ts';
import { Fault } from '../../../core/errors.ts';

/** @throws Fault `invalid` naming the file, where it cannot be read */
export async function dataFile(path: string, name = basename(path)): Promise<DataFile> {
  const before = await stat(path).catch((cause: NodeJS.ErrnoException) => unreadable(path, cause));
  if (!before.isFile()) throw new Fault('invalid', `${path}: it is no file`);
  return {
    name,
    size: before.size,
    // Opened for each read: a folder of images has more files than a process may hold open.
    async read(start, end) {
      const handle = await open(path).catch((cause: NodeJS.ErrnoException) => unreadable(path, cause));
      try {
        const now = await handle.stat();
        if (now.size !== before.size || now.mtimeMs !== before.mtimeMs)
          throw new Fault('conflict', `${path}: it changed while it was read`);
        const bytes = new Uint8Array(end - start);
        for (let at = 0; at < bytes.length;) {
          const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
          if (bytesRead === 0) throw new Fault('conflict', `${path}: it changed while it was read`);
          at += bytesRead;
        }
        return bytes;
      } finally {
        await handle.close();
      }
    },
  };
}

export const dataFiles = (paths: readonly string[]): Promise<DataFile[]> =>
  Promise.all(paths.map((path) => dataFile(path)));

function unreadable(path: string, cause: NodeJS.ErrnoException): never {
  throw new Fault('invalid', `${path}: cannot be read (${cause.code})`, { cause });
}
