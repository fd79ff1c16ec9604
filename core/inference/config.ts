/** Every limit of serving, with its unit and its reason. */
import type { Preference, VariantName } from '../registry/variant-names.ts';

export interface InferenceConfig {
  /** Bytes of an infer request. */
  readonly maxBodyBytes: number;
  /** Bytes of memory that loaded models may take together, see {@link MEMORY_FACTOR}. */
  readonly sessionBytes: number;
  /** Milliseconds since the channel was last looked at. A new release must be served within 5 s. */
  readonly freshness: {
    /** Older: answer at once and look in the background. */
    readonly backgroundAfterMs: number;
    /** Older: look before answering. */
    readonly blockAfterMs: number;
  };
  /** Which variant of a release is served: the first of these it has. */
  readonly variants: Preference;
  readonly batching: BatchLimits & {
    /**
     * Bytes of a model's file from which requests wait for others at all. What a batch saves is reading the weights
     * once for many rows; what it costs is that each request stops and goes on. Smaller ones are batched where they
     * wait anyway.
     */
    readonly worthWaitingBytes: number;
    /** Which variants are batched. Not int8: its scale is computed per tensor, so rows would change each other. */
    readonly variants: readonly VariantName[];
  };
  /**
   * Requests read and not yet answered; the next is refused at once with 503, and the router asks elsewhere. A request
   * that would wait longer than its deadline is better told now.
   */
  readonly queueLimit: number;
}

/** Requests that wait for one session run as one batch, docs/serving.md. */
export interface BatchLimits {
  /** Of a batch of more than one request. 1: nothing is batched. */
  readonly maxRows: number;
  /** Bytes of a batch's inputs together: what a model computes in between grows with them, and memory is scarce. */
  readonly maxBytes: number;
  /** Milliseconds that a request waits, at most, for others that have begun. */
  readonly maxDelayMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Memory of a session over the bytes of its ONNX file: the file, ONNX Runtime's own copy of the weights and its
 * arena. A 22 MB model was seen to take 53 MB of WASM heap.
 */
export const MEMORY_FACTOR = 2.5;

/**
 * An isolate has 128 MB: half of it for models, the rest for the runtime's code and heap, requests and answers. Memory
 * and the time to load are scarce there, so 8-bit weights come first (docs/quantization.md).
 */
export const EDGE_CONFIG: InferenceConfig = {
  maxBodyBytes: 4 * MIB,
  sessionBytes: 64 * MIB,
  freshness: { backgroundAfterMs: 1_000, blockAfterMs: 4_000 },
  variants: ['int8', 'fp32'],
  batching: {
    // Beyond it a product of matrices gains little more, and each row takes memory.
    maxRows: 32,
    maxBytes: 256 * KIB,
    // Those who have begun are read in less.
    maxDelayMs: 2,
    worthWaitingBytes: 4 * MIB,
    variants: ['fp32'],
  },
  queueLimit: 256,
};

/**
 * A Lambda environment is frozen between requests, so nothing runs in the background: it looks before answering,
 * but seldom. The body limit is the edge's, so that both accept the same requests (Lambda's own is 6 MB).
 */
export const CLOUD_CONFIG: InferenceConfig = {
  maxBodyBytes: 4 * MIB,
  sessionBytes: 1024 * MIB,
  freshness: { backgroundAfterMs: 2_500, blockAfterMs: 2_500 },
  variants: ['fp32'],
  // Lambda gives an environment one request at a time: there is no one to wait for then. Who gives it more: docs/serving.md.
  batching: { maxRows: 32, maxBytes: 4 * MIB, maxDelayMs: 5, worthWaitingBytes: 0, variants: ['fp32'] },
  queueLimit: 256,
};

/** A request without a version is answered by the release of this channel. */
export const SERVED_CHANNEL = 'stable';

/** Seconds of Retry-After where the queue is full: it is drained or the deadline has passed by then. */
export const QUEUE_FULL_RETRY_S = 1;

/** Milliseconds that "there is no such model" and "it cannot be loaded" are remembered: a flood asks the store once. */
export const NEGATIVE_MS = 1_000;

/** Milliseconds between two looks while the store fails; the known release is served meanwhile. */
export const LOOK_BACKOFF_MS = 2_000;

/** Milliseconds after which a request whose body is not here is no longer waited for by any other. */
export const SENDING_MS = 20;

/** Names and versions remembered as absent, and releases remembered by number. */
export const REMEMBERED = 512;

/**
 * Milliseconds after which shared work counts as dead and is started anew: in a Worker it stops without a word when
 * the request that started it is cancelled, `waitUntil` being good for 30 s.
 */
export const SHARED_WORK_MS = 30_000;
