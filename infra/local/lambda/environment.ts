/** One execution environment: a worker thread with its own `process.env` that runs the invocations it is sent. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import type { FunctionError, InvokeOutcome, StreamSink } from './invocation.ts';
import { functionError } from './runtime/errors.ts';
import type { FromRuntime, RuntimeSettings, ToRuntime } from './protocol.ts';

/**
 * Milliseconds a condemned environment has to leave by itself. A thread torn down while onnxruntime-node computes
 * takes the process with it ("terminate called after throwing an instance of 'Napi::Error'", 1.30), so it is asked
 * first, and answers between two runs. Only a thread that does not answer, thus loops in JavaScript, is torn down.
 */
const EXIT_GRACE_MS = 2_000;

export interface EnvironmentOptions {
  readonly settings: RuntimeSettings;
  readonly environment: Readonly<Record<string, string>>;
  readonly initTimeoutMs: number;
  readonly log: (line: string) => void;
}

/** @property deadline Unix time in milliseconds; whoever asks must kill the environment then */
export interface Request {
  readonly requestId: string;
  readonly event: string;
  readonly deadline: number;
}

export interface Environment {
  run(request: Request, sink: StreamSink): Promise<InvokeOutcome>;
  /** False once it is killed, has crashed or left. */
  usable(): boolean;
  /** Ends whatever runs in it (as `failed` with this error) and the thread. */
  kill(error: FunctionError): void;
  /** Resolves when the thread is gone, for whatever reason. */
  readonly gone: Promise<void>;
}

export type Started =
  | { readonly kind: 'ready'; readonly environment: Environment }
  | { readonly kind: 'failed'; readonly error: FunctionError };

const EXITED = 'Runtime exited without providing a reason';

export async function startEnvironment(options: EnvironmentOptions): Promise<Started> {
  const { settings, log } = options;
  const worker = new Worker(new URL('./runtime/worker.ts', import.meta.url), {
    name: settings.functionName,
    workerData: settings,
    env: { ...options.environment },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: settings.memoryMb },
  });
  for (const output of [worker.stdout, worker.stderr]) forward(output, log);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
  const post = (message: ToRuntime) => worker.postMessage(message);

  /** Invocations under way, by their request. */
  const running = new Map<string, { readonly sink: StreamSink; settle(outcome: InvokeOutcome): void }>();
  /** Why it dies, where it is known. */
  let cause: FunctionError | undefined;
  let started: (started: Started) => void = () => {};

  const settle = (requestId: string, outcome: InvokeOutcome) => {
    const invocation = running.get(requestId);
    running.delete(requestId);
    invocation?.settle(outcome);
  };
  const failAll = (error: FunctionError) => {
    for (const requestId of running.keys()) settle(requestId, { kind: 'failed', error });
  };
  const kill = (error: FunctionError) => {
    if (cause !== undefined) return;
    cause = error;
    started({ kind: 'failed', error });
    failAll(error);
    post({ type: 'exit' });
    const grace = setTimeout(() => void worker.terminate(), EXIT_GRACE_MS);
    worker.once('exit', () => clearTimeout(grace));
  };

  let left = false;
  const gone = new Promise<void>((resolve) => {
    worker.on('error', (thrown: unknown) => {
      cause ??= functionError(thrown);
      log(`ERROR\t${cause.errorType}\t${thrown instanceof Error ? thrown.stack : String(thrown)}`);
    });
    worker.once('exit', (code) => {
      left = true;
      const error = cause ?? {
        errorType: 'Runtime.ExitError',
        errorMessage: code === 0 ? EXITED : `Runtime exited with error: exit status ${code}`,
      };
      started({ kind: 'failed', error });
      failAll(error);
      resolve();
    });
  });

  const environment: Environment = {
    gone,
    kill,
    usable: () => !left && cause === undefined,
    run: (request, sink) =>
      new Promise((resolve) => {
        if (cause !== undefined) return resolve({ kind: 'failed', error: cause });
        running.set(request.requestId, { sink, settle: resolve });
        post({ type: 'invoke', ...request });
      }),
  };

  return new Promise((resolve) => {
    const seconds = (options.initTimeoutMs / 1_000).toFixed(2);
    const initTimer = setTimeout(
      () => kill({ errorType: 'Sandbox.Timedout', errorMessage: `Init timed out after ${seconds} seconds` }),
      options.initTimeoutMs,
    );
    started = (outcome) => {
      clearTimeout(initTimer);
      resolve(outcome);
    };
    worker.on('message', (message: FromRuntime) => {
      switch (message.type) {
        case 'ready':
          started({ kind: 'ready', environment });
          break;
        case 'unusable':
          kill(message.error);
          break;
        case 'result':
          settle(message.requestId, { kind: 'result', payload: message.payload });
          break;
        case 'failed':
          settle(message.requestId, { kind: 'failed', error: message.error });
          break;
        case 'head':
          running.get(message.requestId)?.sink.head(message.contentType);
          break;
        case 'chunk': {
          const { requestId, bytes } = message;
          void running
            .get(requestId)
            ?.sink.write(bytes)
            .then(() => post({ type: 'taken', requestId }));
          break;
        }
        case 'end':
          settle(message.requestId, { kind: 'streamed' });
          break;
      }
    });
  });
}

function forward(output: Readable, log: (line: string) => void): void {
  createInterface({ input: output }).on('line', log);
}
