/** Files that a command writes at its end: whether it can is said at its beginning. */
import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault, messageOf } from '../../core/errors.ts';

/**
 * Changes nothing.
 * @param field which option names the file
 * @throws Fault `invalid` saying why it cannot be written
 */
export async function checkWritable(file: string, field: string): Promise<void> {
  const folder = dirname(file);
  const is = await kindOf(file);
  if (is === 'folder') throw cannotWrite(file, field, 'it is a folder');
  if (is === 'nothing' && (await kindOf(folder)) !== 'folder')
    throw cannotWrite(file, field, `there is no folder ${folder}`);
  try {
    await access(is === 'nothing' ? folder : file, constants.W_OK);
  } catch (cause) {
    throw cannotWrite(file, field, reasonOf(cause), cause);
  }
}

/** @throws Fault `invalid` saying why it could not be written */
export async function writeText(file: string, text: string, field: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw cannotWrite(file, field, reasonOf(cause), cause);
  }
}

async function kindOf(path: string): Promise<'folder' | 'file' | 'nothing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'nothing';
  }
}

/** Such as `EACCES: permission denied`, without the call and the path that follow. */
const reasonOf = (thrown: unknown): string => messageOf(thrown).split(',')[0]!;

const cannotWrite = (file: string, field: string, reason: string, cause?: unknown) =>
  new Fault('invalid', `--${field} ${file}: cannot be written: ${reason}`, { field, cause });
