/** A Function URL: HTTP on 127.0.0.1 to a function's handler and back, in the shapes AWS documents. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LambdaFunction } from './function.ts';
import { type InvokeOutcome, MAX_PAYLOAD_BYTES } from './invocation.ts';
import { urlEvent } from './url-event.ts';
import { answerOf, MALFORMED } from './url-response.ts';
import { responseSink } from './url-stream.ts';

export interface FunctionUrlOptions {
  readonly target: LambdaFunction;
  /**
   * Default `BUFFERED`, to which a streaming handler's answer is malformed. Under `RESPONSE_STREAM` a handler that
   * does not stream answers as if buffered.
   */
  readonly invokeMode?: 'BUFFERED' | 'RESPONSE_STREAM';
  /** Default: any free one. */
  readonly port?: number;
}

export interface FunctionUrl {
  /** Without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Accepts nothing new, waits `drainMs` (default 2,000) for what is being answered, cuts off the rest. */
  stop(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Milliseconds an idle connection is kept: longer than clients keep theirs, so that they close first. */
const KEEP_ALIVE_MS = 120_000;

export async function startFunctionUrl(options: FunctionUrlOptions): Promise<FunctionUrl> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void answer(options, request, response).catch(() => response.destroy());
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async stop({ drainMs = 2_000 } = {}) {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), drainMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function answer(
  { target, invokeMode = 'BUFFERED' }: FunctionUrlOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = randomUUID();
  const extra = { 'x-amzn-requestid': requestId };
  const body = await readBody(request);
  if (body === 'aborted') return;
  if (body === 'too_large') {
    // The rest of the body is not read: the connection cannot be used again.
    response.setHeader('connection', 'close');
    return sendOutcome(response, { kind: 'too_large', bytes: MAX_PAYLOAD_BYTES + 1 }, extra);
  }
  const event = urlEvent({
    method: request.method ?? 'GET',
    target: request.url ?? '/',
    rawHeaders: request.rawHeaders,
    body,
    protocol: `HTTP/${request.httpVersion}`,
    sourceIp: request.socket.remoteAddress ?? '',
    requestId,
    urlId: target.name,
    nowMs: Date.now(),
  });
  const refuse = () => sendError(response, 'malformed', extra);
  const outcome = await target.invoke(
    event,
    invokeMode === 'RESPONSE_STREAM' ? { sink: responseSink(response, extra, refuse) } : {},
  );
  sendOutcome(response, outcome, extra);
}

/** At most what fits into an event at all; its exact size is checked when it is built. */
async function readBody(request: IncomingMessage): Promise<Buffer | 'too_large' | 'aborted'> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_PAYLOAD_BYTES) return 'too_large';
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_PAYLOAD_BYTES) {
        request.pause();
        resolve('too_large');
      } else chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.once('error', () => resolve('aborted'));
  });
}

type ErrorKind = 'failed' | 'malformed' | 'throttled' | 'too_large';

/** The front end's own answers. 502 in these words is what AWS gives; the others are those of its Invoke API. */
const ERRORS: Readonly<Record<ErrorKind, { statusCode: number; errorType?: string; body: string }>> = {
  failed: { statusCode: 502, body: 'Internal Server Error' },
  malformed: { statusCode: 502, body: 'Internal Server Error' },
  throttled: {
    statusCode: 429,
    errorType: 'TooManyRequestsException',
    body: JSON.stringify({
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      Type: 'User',
      message: 'Rate Exceeded.',
    }),
  },
  too_large: {
    statusCode: 413,
    errorType: 'RequestTooLargeException',
    body: JSON.stringify({
      Type: 'User',
      message: `payload is too large (limit ${MAX_PAYLOAD_BYTES} bytes)`,
    }),
  },
};

function sendOutcome(
  response: ServerResponse,
  outcome: InvokeOutcome,
  extra: Readonly<Record<string, string>>,
): void {
  switch (outcome.kind) {
    case 'result': {
      const result = answerOf(outcome.payload);
      if (result === MALFORMED) return sendError(response, 'malformed', extra);
      // No length where there can be no body (RFC 9110, 8.6).
      const bodiless = result.statusCode === 204 || result.statusCode === 304;
      response.writeHead(result.statusCode, {
        ...result.headers,
        ...extra,
        ...(bodiless ? {} : { 'content-length': result.body.length }),
      });
      response.end(result.body);
      return;
    }
    case 'streamed':
      // Ended without a byte written, and so without the metadata, which goes before the first.
      if (!response.headersSent) response.writeHead(200, { ...extra });
      response.end();
      return;
    case 'failed':
      // Half an answer cannot be taken back: cut it, so that nobody takes it for a whole one.
      if (response.headersSent) response.destroy();
      else sendError(response, 'failed', extra);
      return;
    case 'throttled':
    case 'too_large':
      sendError(response, outcome.kind, extra);
  }
}

function sendError(response: ServerResponse, kind: ErrorKind, extra: Readonly<Record<string, string>>): void {
  const { statusCode, errorType, body } = ERRORS[kind];
  response.writeHead(statusCode, {
    ...extra,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(errorType === undefined ? {} : { 'x-amzn-errortype': errorType }),
  });
  response.end(body);
}
