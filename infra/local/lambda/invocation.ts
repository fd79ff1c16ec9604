/** What an invocation is asked with and what comes of it: the words the rest of the local Lambda is written in. */

/**
 * Bytes of a synchronous event or result, as JSON: 6 MB and the 100 bytes of envelope that Lambda allows on top.
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 + 100;

/** The body of a failed invocation. Lambda adds a stack trace; here that goes to the log only. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
}

export type InvokeOutcome =
  /** JSON of what the handler returned. */
  | { readonly kind: 'result'; readonly payload: string }
  /** The handler streamed its answer to the sink, to the end. */
  | { readonly kind: 'streamed' }
  /** It threw, timed out or took its environment down with it. What went to the sink before is all there is. */
  | { readonly kind: 'failed'; readonly error: FunctionError }
  /** No environment was free (429 on AWS). */
  | { readonly kind: 'throttled' }
  /** The event is larger than {@link MAX_PAYLOAD_BYTES} (413 on AWS). */
  | { readonly kind: 'too_large'; readonly bytes: number };

/** Where a streaming handler's bytes go. */
export interface StreamSink {
  /** Once, before the first bytes. @param contentType as the handler set it, if it did */
  head(contentType: string | undefined): void;
  /** The handler may go on when the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
}

export interface InvokeOptions {
  /** Left out: a streamed answer is collected and comes back as a `result`. */
  readonly sink?: StreamSink;
  /** Whether to wait for an environment in the function's queue; default true. */
  readonly queue?: boolean;
}

/** What an event source needs of a function. */
export interface Invocable {
  readonly maxConcurrency: number;
  /** @param event a JSON value */
  invoke(event: unknown, options?: InvokeOptions): Promise<InvokeOutcome>;
  /** Environments that could take an invocation now, running or not yet started. */
  free(): number;
  /** Resolves once {@link Invocable.free} is above zero; never where the function is stopped. */
  whenFree(): Promise<void>;
}
