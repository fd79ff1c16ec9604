/** The key pair of the local S3: random, made once per state directory, readable by its owner only. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const Credentials = z.strictObject({
  accessKeyId: z.string().min(1),
  secretAccessKey: z.string().min(1),
});
export type S3Credentials = z.infer<typeof Credentials>;

export async function localCredentials(stateDir: string): Promise<S3Credentials> {
  const file = join(stateDir, 's3-credentials.json');
  const made: S3Credentials = {
    accessKeyId: `local${randomBytes(8).toString('hex')}`,
    secretAccessKey: randomBytes(30).toString('base64url'),
  };
  await mkdir(stateDir, { recursive: true });
  try {
    await writeFile(file, JSON.stringify(made), { flag: 'wx', mode: 0o600 });
    return made;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    return Credentials.parse(JSON.parse(await readFile(file, 'utf8')));
  }
}
