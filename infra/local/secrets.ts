/** The secret between the local edge and the local cloud: random, made once per state directory, its owner's only. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export async function localTokenSecret(stateDir: string): Promise<string> {
  const file = join(stateDir, 'token-secret');
  await mkdir(stateDir, { recursive: true });
  try {
    const made = randomBytes(32).toString('base64url');
    await writeFile(file, made, { flag: 'wx', mode: 0o600 });
    return made;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    return readFile(file, 'utf8');
  }
}
