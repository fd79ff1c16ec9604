/**
 * One stack per state directory: two would write the same bucket and queue files.
 *
 * The file `pid` names the holder, and appears with its content at once (a link to a file that was written before). A
 * holder that was killed leaves it there. Who finds that comes after it by a link named after the dead one: of several
 * that do, one succeeds. So the last of such a chain holds the directory; its link then becomes `pid`. Nobody ever removes
 * what another one may have written meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../core/errors.ts';

interface Entry {
  readonly file: string;
  readonly pid: number;
  /** Of one taking of the lock. */
  readonly id: string;
}

/** Those of this process: a process that is gone may have had the same number, as in a container that starts again. */
const ours = new Set<string>();

/** @returns the function that gives the directory back @throws Fault `conflict` naming the process that holds it */
export async function lockState(stateDir: string): Promise<() => Promise<void>> {
  await mkdir(stateDir, { recursive: true });
  const id = randomUUID();
  const draft = join(stateDir, `pid-${id}`);
  await writeFile(draft, `${process.pid} ${id}`);
  ours.add(id);
  try {
    await takeOver(stateDir, draft, id);
  } catch (thrown) {
    ours.delete(id);
    throw thrown;
  } finally {
    await rm(draft, { force: true });
  }
  return async () => {
    const [first] = await chain(stateDir);
    if (first?.id === id) await rm(first.file, { force: true });
    ours.delete(id);
  };
}

async function takeOver(stateDir: string, draft: string, id: string): Promise<void> {
  for (;;) {
    const before = await chain(stateDir);
    const holder = before.find(isHeld);
    if (holder !== undefined) {
      const message = `${stateDir} is in use by process ${holder.pid}; stop it or choose another with --state`;
      throw new Fault('conflict', message, { field: 'state' });
    }
    const dead = before.at(-1);
    const place = dead === undefined ? pidFile(stateDir) : fileAfter(stateDir, dead.id);
    if (!(await linked(draft, place))) continue;
    // One that came after the same holder may have become `pid` since that was read: then this is not of the chain.
    const entries = await chain(stateDir);
    if (entries.at(-1)?.id !== id) {
      await rm(place, { force: true });
      continue;
    }
    if (place !== pidFile(stateDir)) await rename(place, pidFile(stateDir));
    for (const { file } of entries.slice(1, -1)) await rm(file, { force: true });
    return;
  }
}

const pidFile = (stateDir: string) => join(stateDir, 'pid');
const fileAfter = (stateDir: string, id: string) => join(stateDir, `pid-after-${id}`);

/** From `pid` on, each after the one before. */
async function chain(stateDir: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let file = pidFile(stateDir); ;) {
    const text = await readFile(file, 'utf8').catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') return undefined;
      throw thrown;
    });
    if (text === undefined) return entries;
    const [, pid = '0', id = `unnamed-${entries.length}`] = /^(\d+)(?: ([0-9a-f-]+))?$/.exec(text) ?? [];
    entries.push({ file, pid: Number(pid), id });
    file = fileAfter(stateDir, id);
  }
}

/** @returns false where there is such a file already */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  }
}

function isHeld({ pid, id }: Entry): boolean {
  if (pid === process.pid) return ours.has(id);
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM';
  }
}
