/**
 * What the functions write: into one file, as one log group would have it, and the fleet's lines counted on the way, as
 * CloudWatch's metric filters would. People see only what went wrong.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { LogLine } from '../../core/contracts/log.ts';
import type { TaskMetrics } from '../../core/telemetry/fleet-metrics.ts';

/** Below the state directory. The file before the last start that found it full is kept beside it. */
export const LOG_FILE = join('logs', 'functions.jsonl');
/** Bytes: some hundred thousand lines. */
const FULL = 64 * 1024 * 1024;

export interface FunctionLinesOptions {
  readonly stateDir: string;
  readonly metrics: TaskMetrics;
  /** For people: takes what went wrong, and whatever is no line of ours. */
  readonly log: (line: string) => void;
}

export interface FunctionLines {
  /** @param line as the function wrote it @param source which environment of which function did */
  take(line: string, source: string): void;
  close(): Promise<void>;
}

export async function functionLines({
  stateDir,
  metrics,
  log,
}: FunctionLinesOptions): Promise<FunctionLines> {
  const path = join(stateDir, LOG_FILE);
  await mkdir(join(path, '..'), { recursive: true });
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > FULL) await rename(path, `${path}.1`);
  const file = createWriteStream(path, { flags: 'a', mode: 0o600 });
  await once(file, 'open');
  let writable = true;
  file.on('error', (error) => {
    if (writable) log(`the functions' lines can no longer be written to ${path}: ${error.message}`);
    writable = false;
  });
  return {
    take(line, source) {
      const parsed = readLine(line);
      if (parsed?.message === 'task') metrics.count(parsed);
      if (writable) file.write(`${line}\n`);
      if (parsed === undefined || parsed.level === 'ERROR') log(`[${source}] ${line}`);
    },
    async close() {
      if (!writable) return;
      writable = false;
      file.end();
      await Promise.race([once(file, 'finish'), once(file, 'error')]);
    },
  };
}

/** @returns undefined for what is no line of ours: a stack, a runtime's own words */
export function readLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return LogLine.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
