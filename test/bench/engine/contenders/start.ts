import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Requests } from './child.ts';
import type { ContenderName } from './table.ts';

export interface ContenderProcess {
  readonly name: ContenderName;
  readonly ask: <K extends keyof Requests>(kind: K, argument: Requests[K]) => Promise<number>;
  readonly stop: () => void;
}

/** V8 compiles WebAssembly well at once, and not quickly first and well after seconds: that would be measured. */
const OPTIMIZED = ['--no-liftoff'];

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));

/** @param rows of a batch @param batches that it trains on */
export function startContender(name: ContenderName, rows: number, batches: number): ContenderProcess {
  const child = fork(CHILD, [name, String(rows), String(batches)], { execArgv: OPTIMIZED });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with exit code ${String(code)}`);
  });
  // Looked at only while an answer is awaited.
  ended.catch(() => {});
  return {
    name,
    async ask(kind, argument) {
      const answer = once(child, 'message') as Promise<[number]>;
      child.send([kind, argument]);
      const [value] = await Promise.race([answer, ended]);
      return value;
    },
    stop: () => void child.kill(),
  };
}
