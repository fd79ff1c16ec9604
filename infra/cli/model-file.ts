import { readFile } from 'node:fs/promises';
import { Fault } from '../../core/errors.ts';

/** @param option what the message calls the path */
export async function modelFile(path: string, option: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readFile(path);
  } catch (cause) {
    const message = `${option}: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`;
    throw new Fault('invalid', message, { field: option.replace(/^--/, ''), cause });
  }
}
