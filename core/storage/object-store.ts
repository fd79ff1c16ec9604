/**
 * The one store both halves share: S3, R2 through its S3 API, or an R2 binding. Implementations live beside their
 * platforms (cloud/adapters, functions/inference); test/contract runs one suite on each.
 *
 * Only what both S3 and R2 guarantee is offered: strong read-after-write, create-only and compare-and-swap puts.
 * Losing a race is an outcome, not an error. Implementations throw {@link Fault} `unavailable` (retryable) for
 * anything the network or the service did.
 */

export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Opaque, quoted or not as the service gives it; compare only with another etag of the same store. */
  readonly etag: string;
  readonly modifiedAt: Date;
  /** What was put with it; never in a list's page. Absent where that was nothing. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface StoredObject extends ObjectInfo {
  /** The whole object, or the asked range. `size` is always the whole object's. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Half-open byte range `[start, end)`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** `create`: only if the key does not exist. `{ match }`: only if the object still has this etag. */
export type PutCondition = 'create' | { readonly match: string };

export interface PutOptions {
  readonly condition?: PutCondition;
  readonly contentType?: string;
  /**
   * Kept with the object and told by HEAD. Names lower-case, values printable ASCII, 2,000 bytes in all: S3 takes 2 KiB,
   * and a store may add a name of its own.
   */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** `refused`: the condition did not hold (412): somebody else was first. */
export type PutOutcome = { readonly kind: 'written'; readonly etag: string } | { readonly kind: 'refused' };

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  /** Pass to the next call; absent on the last page. */
  readonly cursor?: string;
}

export interface ListOptions {
  readonly cursor?: string;
  /** At most this many objects, 1 to 1000; default 1000. */
  readonly limit?: number;
}

export interface ObjectStore {
  /** @returns undefined where there is no such key. @throws Fault `invalid` for a range outside the object. */
  get(key: string, options?: { readonly range?: ByteRange }): Promise<StoredObject | undefined>;
  head(key: string): Promise<ObjectInfo | undefined>;
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<PutOutcome>;
  /** Deleting a missing key is no error. */
  delete(key: string): Promise<void>;
  /** Keys under a prefix, in ascending UTF-8 order. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;
}
