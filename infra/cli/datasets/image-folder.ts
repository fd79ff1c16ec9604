/** The images of a folder, each with the folder it is in: in the order of their names, on every machine. */
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { ImageFile } from '../../../core/datasets/sources/images.ts';
import { Fault } from '../../../core/errors.ts';
import { dataFile } from './files.ts';

/** Files that systems leave in folders. */
const HIDDEN = /^(?:\..*|Thumbs\.db)$/u;

/**
 * What is no image is found when it is read, and is a row that cannot be.
 * @throws Fault `invalid` naming a file that is in no class's folder
 */
export async function imageFiles(folder: string, testFolder?: string): Promise<ImageFile[]> {
  if (testFolder === undefined) return imagesIn(folder);
  return [...(await imagesIn(folder, 'train')), ...(await imagesIn(testFolder, 'test'))];
}

async function imagesIn(folder: string, split?: string): Promise<ImageFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (cause: NodeJS.ErrnoException) => {
      throw new Fault('invalid', `${folder}: cannot be read (${cause.code})`, { cause });
    },
  );
  const paths = entries
    .filter((entry) => !entry.isDirectory() && !HIDDEN.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
  const files: ImageFile[] = [];
  for (const path of paths) {
    const [label, ...rest] = path.split('/') as [string, ...string[]];
    if (rest.length === 0) throw new Fault('invalid', `${path}: it is in no folder that would be its class`);
    files.push({
      file: await dataFile(join(folder, path), path),
      label,
      ...(split === undefined ? {} : { split }),
    });
  }
  return files;
}
