/** Starts built Workers in one workerd, over R2 buckets on disk, and ends it. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Log, LogLevel, Miniflare, type WorkerOptions } from 'miniflare';
import { Fault } from '../../../core/errors.ts';
import { isFree } from '../ports.ts';
import { holdWorkerd } from './lifetime.ts';
import { type LocalWorker, workerOptions } from './runtime.ts';

export interface LaunchedWorkers {
  /** By the Worker's name, without a slash at the end; only of those that have a port. */
  readonly urls: ReadonlyMap<string, string>;
  /** workerd's standard output and error, appended. */
  readonly logFile: string;
  stop(): Promise<void>;
}

/**
 * Whether a port is taken is looked at rather than read from what miniflare threw: it knows of workerd's reason only if
 * that was printed before workerd ended.
 * @param cause what miniflare threw
 */
async function asFault(cause: unknown, workers: readonly LocalWorker[]): Promise<Fault> {
  for (const { port = 0, portField = 'port' } of workers) {
    if (port === 0 || (await isFree(port))) continue;
    const taken = `${portField}: port ${port} of 127.0.0.1 is taken; choose another`;
    return new Fault('conflict', taken, { field: portField, cause });
  }
  const { message = 'unknown error' } = cause as { message?: string };
  return new Fault('internal', `the Workers did not start: ${message}`, { cause });
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Miniflare ends the process at a signal, functions at work and all. Whoever started the stack stops it, part by part; what
 * miniflare does when the process ends stays.
 * @returns takes off what listens to signals since
 */
function signalsKept(): () => void {
  const before = SIGNALS.map((signal) => new Set(process.listeners(signal)));
  return () => {
    for (const [i, signal] of SIGNALS.entries())
      for (const listener of process.listeners(signal))
        if (!before[i]!.has(listener)) process.removeListener(signal, listener);
  };
}

/**
 * @param stateDir buckets, log and process id lie below it
 * @throws Fault as startEdge does
 */
export async function launch(stateDir: string, workers: readonly LocalWorker[]): Promise<LaunchedWorkers> {
  const options: WorkerOptions[] = workerOptions(workers);
  const lifetime = await holdWorkerd(stateDir);
  const logFile = join(stateDir, 'workerd.log');
  const log = createWriteStream(logFile, { flags: 'a' });
  const keepSignals = signalsKept();
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    // No request for the machine's place in the world, no metrics, no console of its own.
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      stdout.pipe(log, { end: false });
      stderr.pipe(log, { end: false });
    },
    unsafeRuntimeEnv: { ...lifetime.environment },
    r2Persist: join(stateDir, 'r2'),
    workers: options,
  });
  keepSignals();
  const end = async () => {
    await miniflare.dispose();
    log.end();
    await lifetime.release();
  };
  try {
    await miniflare.ready;
  } catch (thrown) {
    await end().catch(() => {});
    throw await asFault(thrown, workers);
  }
  const urls = new Map<string, string>();
  for (const { name, port } of workers) {
    if (port !== undefined) urls.set(name, (await miniflare.unsafeGetDirectURL(name)).origin);
  }
  let stopped: Promise<void> | undefined;
  return {
    urls,
    logFile,
    stop() {
      stopped ??= end();
      return stopped;
    },
  };
}
