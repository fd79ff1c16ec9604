/**
 * The inside of an execution environment: loads the very module that is deployed and runs its handler for each
 * invocation it is sent, as AWS's Node.js 24 runtime does. Entry of a worker thread; see ../environment.ts.
 *
 * Not as on AWS: between invocations the environment is not frozen, and a handler whose promise can never settle
 * runs into its timeout rather than being noticed.
 */
import { enableCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { Context } from 'aws-lambda';
import type { FromRuntime, RuntimeSettings, ToRuntime } from '../protocol.ts';
import { functionError, loadError } from './errors.ts';
import { awslambda, isStreaming, ResponseStream, type StreamingHandler } from './response-stream.ts';

type Handler = ((event: unknown, context: Context) => unknown) | StreamingHandler;

const port = parentPort;
if (port === null) throw new Error('this module is the entry of a worker thread');
const settings = workerData as RuntimeSettings;
const send = (message: FromRuntime) => port.postMessage(message);

/** By request: called when the sink has taken its last chunk. */
const taken = new Map<string, () => void>();

async function load(): Promise<Handler> {
  Object.assign(globalThis, { awslambda });
  // A local environment starts in half the time with what an earlier one compiled.
  enableCompileCache();
  const module = (await import(settings.handlerUrl)) as { readonly handler?: unknown };
  const { handler } = module;
  if (typeof handler !== 'function') {
    throw Object.assign(new Error('handler is undefined or not exported'), {
      name: 'Runtime.HandlerNotFound',
    });
  }
  if (handler.length > 2 && !isStreaming(handler)) {
    const message =
      'AWS Lambda has removed support for callback-based function handlers starting with Node.js 24.';
    throw Object.assign(new Error(message), { name: 'Runtime.CallbackHandlerDeprecated' });
  }
  return handler as Handler;
}

async function invoke(handler: Handler, { requestId, event, deadline }: ToRuntime & { type: 'invoke' }) {
  const context = contextOf(requestId, deadline);
  try {
    if (isStreaming(handler)) await stream(handler, JSON.parse(event), context);
    else send({ type: 'result', requestId, payload: serialize(await handler(JSON.parse(event), context)) });
  } catch (thrown) {
    const stack = thrown instanceof Error ? thrown.stack : String(thrown);
    console.error(`${requestId}\tERROR\tInvoke Error\t${stack}`);
    send({ type: 'failed', requestId, error: functionError(thrown) });
  } finally {
    taken.delete(requestId);
  }
}

async function stream(handler: StreamingHandler, event: unknown, context: Context): Promise<void> {
  const requestId = context.awsRequestId;
  const response = new ResponseStream({
    head: (contentType) => send({ type: 'head', requestId, contentType }),
    chunk: (bytes, next) => {
      taken.set(requestId, next);
      // A Buffer is often a window on shared memory; only its own bytes shall travel.
      const own = new Uint8Array(bytes);
      port?.postMessage({ type: 'chunk', requestId, bytes: own } satisfies FromRuntime, [own.buffer]);
    },
  });
  const finished = new Promise<void>((resolve, reject) => {
    response.once('finish', resolve);
    response.once('error', reject);
  });
  // Both: the handler may return before its stream ends, and may throw after.
  await Promise.all([handler(event, response, context), finished]);
  send({ type: 'end', requestId });
}

function serialize(result: unknown): string {
  try {
    // A function that returns nothing answers null.
    return JSON.stringify(result) ?? 'null';
  } catch (cause) {
    const message = `Unable to stringify response body: ${String(cause)}`;
    throw Object.assign(new Error(message, { cause }), { name: 'Runtime.MarshalError' });
  }
}

function contextOf(requestId: string, deadline: number): Context {
  const unsupported = () => {
    throw new Error('context.done, fail and succeed are gone: return a promise');
  };
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: settings.functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: settings.functionArn,
    memoryLimitInMB: String(settings.memoryMb),
    logGroupName: `/aws/lambda/${settings.functionName}`,
    logStreamName: settings.logStreamName,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: unsupported,
    fail: unsupported,
    succeed: unsupported,
  };
}

// Nobody waits for it and nobody caught it: as on AWS, that ends the environment.
process.on('unhandledRejection', (reason) => {
  const message = reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason);
  const name = 'Runtime.UnhandledPromiseRejection';
  throw Object.assign(new Error(message, { cause: reason }), { name });
});

try {
  const handler = await load();
  port.on('message', (message: ToRuntime) => {
    switch (message.type) {
      case 'invoke':
        void invoke(handler, message);
        break;
      case 'taken':
        taken.get(message.requestId)?.();
        break;
      case 'exit':
        process.exit();
    }
  });
  send({ type: 'ready' });
} catch (thrown) {
  console.error(thrown);
  send({ type: 'unusable', error: loadError(thrown) });
}
