/**
 * Lambda response streaming as handlers see it: the global `awslambda`.
 * https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html
 */
import { Writable } from 'node:stream';
import type { Context } from 'aws-lambda';

/** The content type that says: JSON with status, headers and cookies, eight zero bytes, then the body. */
export const HTTP_INTEGRATION_RESPONSE = 'application/vnd.awslambda.http-integration-response';
const DELIMITER = Buffer.alloc(8);

export type StreamingHandler = (event: unknown, stream: ResponseStream, context: Context) => unknown;

/** Marks a handler as streaming; what it is set on is what the runtime looks at. */
const STREAMING = Symbol('streaming handler');

export interface StreamOutput {
  head(contentType: string | undefined): void;
  /** `taken` is called when the next chunk may follow. */
  chunk(bytes: Uint8Array, taken: () => void): void;
}

export class ResponseStream extends Writable {
  readonly #output: StreamOutput;
  #contentType: string | undefined;
  #prelude: Buffer | undefined;
  #started = false;

  constructor(output: StreamOutput) {
    super();
    this.#output = output;
  }

  setContentType(contentType: string): void {
    this.#contentType = contentType;
  }

  /** Goes before the first write. As on AWS, without any write it is not sent. */
  setPrelude(prelude: unknown): void {
    this.#contentType = HTTP_INTEGRATION_RESPONSE;
    this.#prelude = Buffer.concat([Buffer.from(JSON.stringify(prelude)), DELIMITER]);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#start();
    const bytes = this.#prelude === undefined ? chunk : Buffer.concat([this.#prelude, chunk]);
    this.#prelude = undefined;
    if (bytes.length === 0) callback();
    else this.#output.chunk(bytes, callback);
  }

  override _final(callback: () => void): void {
    this.#start();
    callback();
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#output.head(this.#contentType);
  }
}

/** What AWS's own runtime puts into the global scope. */
export const awslambda = {
  streamifyResponse(handler: StreamingHandler): StreamingHandler {
    return Object.assign(handler, { [STREAMING]: true });
  },
  HttpResponseStream: {
    from(stream: ResponseStream, prelude: unknown): ResponseStream {
      stream.setPrelude(prelude);
      return stream;
    },
  },
};

export function isStreaming(handler: object): handler is StreamingHandler {
  return STREAMING in handler;
}
