/** Folders that commands write into, made before the work whose results are to lie there. */
import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Fault } from '../../core/errors.ts';

/**
 * @param option that named it, for the message
 * @throws Fault `invalid` where it is no folder, or none that can be written into
 */
export async function makeFolder(option: string, folder: string): Promise<void> {
  try {
    await make(resolve(folder));
    await access(folder, constants.W_OK);
  } catch (cause) {
    const { code = 'error' } = cause as NodeJS.ErrnoException;
    throw new Fault('invalid', `--${option}: ${folder} is no folder that can be written into (${code})`, {
      field: option,
      cause,
    });
  }
}

/** One after another: Node's own recursive mkdir does not return where /proc is asked for a folder. */
async function make(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
  if (dirname(path) !== path) await make(dirname(path));
  await mkdir(path).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'EEXIST') throw thrown;
  });
  if (!(await stat(path)).isDirectory())
    throw Object.assign(new Error(`${path} is a file`), { code: 'ENOTDIR' });
}
