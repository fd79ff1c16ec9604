/** The messages between the local Lambda and an execution environment (a worker thread). */
import type { FunctionError } from './invocation.ts';

/** `workerData` of an environment. */
export interface RuntimeSettings {
  /** file: URL of the module that exports `handler`. */
  readonly handlerUrl: string;
  readonly functionName: string;
  readonly functionArn: string;
  readonly memoryMb: number;
  readonly logStreamName: string;
}

export type ToRuntime =
  /** @property event JSON @property deadline Unix time in milliseconds */
  | {
      readonly type: 'invoke';
      readonly requestId: string;
      readonly event: string;
      readonly deadline: number;
    }
  /** The last chunk was taken: send the next. */
  | { readonly type: 'taken'; readonly requestId: string }
  | { readonly type: 'exit' };

export type FromRuntime =
  | { readonly type: 'ready' }
  /** The module could not be loaded. */
  | { readonly type: 'unusable'; readonly error: FunctionError }
  | (OfInvocation & { readonly requestId: string });

/** Of one invocation: several may be under way. */
export type OfInvocation =
  | { readonly type: 'result'; readonly payload: string }
  | { readonly type: 'failed'; readonly error: FunctionError }
  /** Once per streamed answer, before its first chunk. */
  | { readonly type: 'head'; readonly contentType: string | undefined }
  | { readonly type: 'chunk'; readonly bytes: Uint8Array }
  | { readonly type: 'end' };
