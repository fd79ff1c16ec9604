/**
 * A small Lambda: a handler's file, run by a pool of execution environments that starts them on demand, reuses the
 * warm ones, kills them at the timeout and replaces what crashes.
 */
import { randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { Fault } from '../../../core/errors.ts';
import { collector } from './collect.ts';
import { type Environment, type Started, startEnvironment } from './environment.ts';
import {
  type FunctionError,
  type Invocable,
  type InvokeOptions,
  type InvokeOutcome,
  MAX_PAYLOAD_BYTES,
} from './invocation.ts';
import { type Admission, createPool } from './pool.ts';
import { checkRange } from './range.ts';

export interface FunctionOptions {
  readonly name: string;
  /** Absolute path or file: URL of the module that exports `handler`: the one that is deployed. */
  readonly handlerFile: string | URL;
  /** The function's environment variables. Nothing of this process's own environment is added but PATH. */
  readonly environment?: Readonly<Record<string, string>>;
  /** 1 to 900,000. */
  readonly timeoutMs: number;
  /** Environments at most: Lambda's reserved concurrency. */
  readonly maxConcurrency: number;
  /**
   * Invocations at once in one environment, default 1, as Lambda has it; more is what `PerExecutionEnvironmentMaxConcurrency`
   * of Lambda Managed Instances says. Only for handlers that keep nothing of one invocation outside it. All of them share
   * a thread, and what ends the environment (a timeout of one, a crash) fails them all.
   */
  readonly concurrencyPerEnvironment?: number;
  /** Also the limit of an environment's JavaScript heap. Default 1769: one vCPU's worth on Lambda. */
  readonly memoryMb?: number;
  /** Invocations that may wait for an environment; default 128. 0: throttle at once, as Lambda does. */
  readonly queueLimit?: number;
  /** Milliseconds one waits there before it is throttled; default 1,000. */
  readonly queueWaitMs?: number;
  /** Takes what there is to say of the function, and what it writes; default standard error. */
  readonly log?: (line: string) => void;
  /** Takes what it writes in place of `log`, and which of its environments did. */
  readonly takeLine?: (line: string, source: string) => void;
}

export interface FunctionStats {
  /** Environments, starting and dying ones included. */
  readonly environments: number;
  readonly busy: number;
  readonly invocations: number;
  readonly coldStarts: number;
  /** Of those: */
  readonly failures: number;
  readonly timeouts: number;
  readonly throttles: number;
}

export interface LambdaFunction extends Invocable {
  readonly name: string;
  readonly arn: string;
  readonly timeoutMs: number;
  /** Has this many environments started and ready. @throws Fault `internal` where the handler cannot be loaded */
  warm(count: number): Promise<void>;
  stats(): FunctionStats;
  /** Refuses what is new, waits `drainMs` (default 5,000) for what runs, ends the rest. */
  stop(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Milliseconds Lambda gives the initialization; a longer function timeout extends it, as it does there. */
const INIT_TIMEOUT_MS = 10_000;
const MAX_TIMEOUT_MS = 900_000;
/** Of one vCPU of a Lambda Managed Instance by default; here an environment is one thread. */
export const MAX_PER_ENVIRONMENT = 64;

export function createFunction(options: FunctionOptions): LambdaFunction {
  const { name, timeoutMs, maxConcurrency, memoryMb = 1769, queueLimit = 128, queueWaitMs = 1_000 } = options;
  const { concurrencyPerEnvironment: perEnvironment = 1 } = options;
  checkRange('timeoutMs', timeoutMs, 1, MAX_TIMEOUT_MS);
  checkRange('maxConcurrency', maxConcurrency, 1, 1_000);
  checkRange('concurrencyPerEnvironment', perEnvironment, 1, MAX_PER_ENVIRONMENT);
  const arn = `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
  const handlerUrl = (
    typeof options.handlerFile === 'string' ? pathToFileURL(options.handlerFile) : options.handlerFile
  ).href;
  const writeLine = options.log ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const takeLine = options.takeLine ?? ((line: string, source: string) => writeLine(`[${source}] ${line}`));
  const counts = { invocations: 0, coldStarts: 0, failures: 0, timeouts: 0, throttles: 0 };

  function start(): Promise<Started> {
    counts.coldStarts += 1;
    const number = counts.coldStarts;
    const logStreamName = `local/[$LATEST]${name}-${number}`;
    return startEnvironment({
      settings: { handlerUrl, functionName: name, functionArn: arn, memoryMb, logStreamName },
      environment: {
        ...runtimeVariables({ name, memoryMb, logStreamName }),
        ...options.environment,
      },
      initTimeoutMs: Math.max(INIT_TIMEOUT_MS, timeoutMs),
      log: (line) => takeLine(line, `${name} ${number}`),
    });
  }

  const pool = createPool({ start, size: maxConcurrency, perEnvironment, queueLimit, queueWaitMs });

  async function runIn(environment: Environment, event: string, options: InvokeOptions) {
    const requestId = randomUUID();
    const timer = setTimeout(() => {
      counts.timeouts += 1;
      const error = timeoutError(requestId, timeoutMs);
      writeLine(`[${name}] ${error.errorMessage}`);
      environment.kill(error);
    }, timeoutMs);
    const collected = options.sink === undefined ? collector() : undefined;
    const sink = options.sink ?? collected?.sink;
    if (sink === undefined) throw new Error('unreachable: there is always a sink');
    const outcome = await environment.run({ requestId, event, deadline: Date.now() + timeoutMs }, sink);
    clearTimeout(timer);
    if (outcome.kind === 'result') return checkResult(outcome.payload);
    return outcome.kind === 'streamed' && collected !== undefined ? collected.outcome() : outcome;
  }

  async function admitted(
    admission: Admission,
    event: string,
    options: InvokeOptions,
  ): Promise<InvokeOutcome> {
    if (admission.kind === 'full') return { kind: 'throttled' };
    if (admission.kind === 'failed') return { kind: 'failed', error: admission.error };
    try {
      return await runIn(admission.environment, event, options);
    } finally {
      admission.release();
    }
  }

  return {
    name,
    arn,
    timeoutMs,
    maxConcurrency,
    async invoke(event, options = {}) {
      const payload = JSON.stringify(event) ?? 'null';
      // A string of n code units has n to 3n bytes: most need no count.
      const bytes = payload.length * 3 <= MAX_PAYLOAD_BYTES ? payload.length : Buffer.byteLength(payload);
      if (bytes > MAX_PAYLOAD_BYTES) return { kind: 'too_large', bytes };
      counts.invocations += 1;
      const outcome = await admitted(await pool.acquire(options.queue ?? true), payload, options);
      if (outcome.kind === 'failed') counts.failures += 1;
      if (outcome.kind === 'throttled') counts.throttles += 1;
      return outcome;
    },
    async warm(count) {
      checkRange('count', count, 0, maxConcurrency);
      const error = await pool.warm(count);
      if (error !== undefined) {
        throw new Fault(
          'internal',
          `function ${name} does not start: ${error.errorType} ${error.errorMessage}`,
        );
      }
    },
    free: () => pool.free(),
    whenFree: () => pool.whenFree(),
    stats: () => ({ environments: pool.size(), busy: pool.busy(), ...counts }),
    stop: ({ drainMs = 5_000 } = {}) => pool.stop(drainMs),
  };
}

function checkResult(payload: string): InvokeOutcome {
  if (payload.length * 3 <= MAX_PAYLOAD_BYTES || Buffer.byteLength(payload) <= MAX_PAYLOAD_BYTES) {
    return { kind: 'result', payload };
  }
  return {
    kind: 'failed',
    error: {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_PAYLOAD_BYTES} bytes).`,
    },
  };
}

function timeoutError(requestId: string, timeoutMs: number): FunctionError {
  const seconds = (timeoutMs / 1000).toFixed(2);
  return {
    errorType: 'Sandbox.Timedout',
    errorMessage: `RequestId: ${requestId} Error: Task timed out after ${seconds} seconds`,
  };
}

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
function runtimeVariables(given: {
  readonly name: string;
  readonly memoryMb: number;
  readonly logStreamName: string;
}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    TZ: ':UTC',
    _HANDLER: 'handler.handler',
    AWS_REGION: 'us-east-1',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: given.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(given.memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${given.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: given.logStreamName,
  };
}
