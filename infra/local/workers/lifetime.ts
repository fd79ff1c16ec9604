/** workerd lives no longer than we do, and one state directory has one workerd. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { platform } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Fault } from '../../../core/errors.ts';

const run = promisify(execFile);

/** Milliseconds a killed process may take to be gone. */
const KILL_DEADLINE_MS = 5_000;
const POLL_MS = 20;

/** Parent and command line of a running process. */
async function processInfo(pid: number): Promise<{ parent: number; command: string } | undefined> {
  try {
    const { stdout } = await run('ps', ['-o', 'ppid=,args=', '-p', String(pid)]);
    const [, parent, command] = /^\s*(\d+)\s+(.*)$/m.exec(stdout) ?? [];
    return parent === undefined || command === undefined ? undefined : { parent: Number(parent), command };
  } catch {
    return undefined;
  }
}

const isWorkerd = (command: string) => /workerd"? serve /.test(command);

async function kill(pid: number): Promise<void> {
  const deadline = performance.now() + KILL_DEADLINE_MS;
  process.kill(pid, 'SIGKILL');
  while ((await processInfo(pid)) !== undefined) {
    if (performance.now() > deadline) throw new Fault('internal', `process ${pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Ends a workerd that a killed process left behind on this state directory.
 * @throws Fault `conflict` where its owner still runs
 */
async function claim(stateDir: string, pidFile: string): Promise<void> {
  const written = await readFile(pidFile, 'utf8').catch(() => '');
  const [workerd = 0, owner = 0] = written.trim().split(' ').map(Number);
  const info = workerd > 0 ? await processInfo(workerd) : undefined;
  if (info === undefined || !isWorkerd(info.command)) return;
  if (info.parent === owner) {
    const message = `stateDir: ${stateDir} is in use by process ${owner}; stop it or choose another`;
    throw new Fault('conflict', message, { field: 'stateDir' });
  }
  await kill(workerd);
}

export interface Lifetime {
  /** For workerd's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** To be called when workerd has ended. */
  release(): Promise<void>;
}

/** Without sh and ps (Windows) workerd is started plainly: killed hard, it has to be ended by hand. */
export async function holdWorkerd(stateDir: string): Promise<Lifetime> {
  if (platform() === 'win32') return { environment: {}, release: async () => {} };
  const pidFile = join(stateDir, 'workerd.pid');
  await claim(stateDir, pidFile);
  const fromMiniflare = createRequire(createRequire(import.meta.url).resolve('miniflare'));
  const { default: workerd } = fromMiniflare('workerd') as { readonly default: string };
  // Miniflare takes the path from nowhere else. For every other use of miniflare in this process it means the same.
  process.env['CAUSEWAY_WORKERD'] = workerd;
  process.env['MINIFLARE_WORKERD_PATH'] = fileURLToPath(new URL('workerd.sh', import.meta.url));
  return {
    environment: { CAUSEWAY_WORKERD_PID_FILE: pidFile },
    release: () => rm(pidFile, { force: true }),
  };
}
