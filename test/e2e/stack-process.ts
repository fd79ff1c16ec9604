/** The local stack as a process of its own, which can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '../../infra/cli/client.ts';

const main = fileURLToPath(new URL('../../infra/cli/main.ts', import.meta.url));

export interface StackProcess {
  readonly child: ChildProcess;
  /** Resolves with a client of its router; rejects where the process ended before. */
  readonly ready: Promise<ReturnType<typeof createClient>>;
  /** Ends it by a signal and waits until it is gone. */
  end(signal: 'SIGKILL' | 'SIGINT'): Promise<void>;
}

export function startProcess(stateDir: string): StackProcess {
  const args = [main, 'up', '--bare', '--port', '0', '--state', stateDir];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  async function ready() {
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.includes('Ctrl-C')) {
        const text = await readFile(join(stateDir, 'stack.json'), 'utf8');
        return createClient((JSON.parse(text) as { routerUrl: string }).routerUrl);
      }
    }
    throw new Error('the stack ended before it was ready');
  }
  const whenReady = ready();
  // Who kills it early does not ask.
  whenReady.catch(() => undefined);
  return {
    child,
    ready: whenReady,
    async end(signal) {
      child.kill(signal);
      await gone;
    },
  };
}

/** Runs a command of `causeway`. @returns what it printed @throws where it fails */
export async function causeway(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  let output = '';
  for await (const chunk of child.stdout) output += String(chunk);
  const [code] = (await gone) as [number | null];
  if (code !== 0) throw new Error(`causeway ${args.join(' ')} ended with ${code}`);
  return output;
}
