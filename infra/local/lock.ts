/** One stack per state directory: two would write the same bucket and queue files. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../core/errors.ts';

/** @returns the function that gives the directory back @throws Fault `conflict` naming the process that holds it */
export async function lockState(stateDir: string): Promise<() => Promise<void>> {
  const file = join(stateDir, 'pid');
  await mkdir(stateDir, { recursive: true });
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''));
    if (holder !== process.pid && isRunning(holder)) {
      const message = `${stateDir} is in use by process ${holder}; stop it or choose another with --state`;
      throw new Fault('conflict', message, { field: 'state' });
    }
    // Its holder was killed: the directory is free again.
    await rm(file, { force: true });
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}
