/** The object store on Amazon S3, or whatever speaks its API. */
import { randomUUID } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Fault } from '../../core/errors.ts';
import { outsideRange, storeFault } from '../../core/storage/faults.ts';
import type {
  ByteRange,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
  StoredObject,
} from '../../core/storage/object-store.ts';
import { classifyS3Error, s3Code, s3Status } from './s3-errors.ts';

export { createS3Client } from './s3-client.ts';

/**
 * Tries of a conditional put that S3 answers with 409 ConditionalRequestConflict (another write to the key was in
 * progress; AWS: "retry the upload"), and the ceiling of the first wait between them, doubled each time.
 */
const CONFLICT_ATTEMPTS = 6;
const CONFLICT_WAIT_MS = 25;
/**
 * Reads of an object whose body broke off. The SDK repeats requests, but hands a body on before it has come: whether it
 * is whole is for the reader to see.
 */
const BODY_ATTEMPTS = 4;
/** Metadata of an object that was put on a condition: names the put, so that its writer knows it again. */
const PUT_NAME = 'put';
/** LIST's own limits. */
const MAX_PAGE = 1_000;

export interface S3StoreOptions {
  readonly client: S3Client;
  readonly bucket: string;
}

interface Described {
  readonly ETag?: string | undefined;
  readonly LastModified?: Date | undefined;
  readonly Metadata?: Record<string, string> | undefined;
}

function info(
  key: string,
  size: number | undefined,
  { ETag, LastModified, Metadata = {} }: Described,
): ObjectInfo {
  if (size === undefined || ETag === undefined || LastModified === undefined) {
    throw storeFault('bad_gateway', `the answer for ${key} lacks its size, etag or time`);
  }
  const { [PUT_NAME]: _name, ...given } = Metadata;
  const metadata = Object.keys(given).length === 0 ? {} : { metadata: given };
  return { key, size, etag: ETag, modifiedAt: LastModified, ...metadata };
}

/** `bytes=0-9` of RFC 9110, section 14.1.2: the last byte is included. */
function rangeHeader(key: string, range: ByteRange): string {
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end <= start) {
    throw outsideRange(key, range);
  }
  return `bytes=${start}-${end - 1}`;
}

/** The whole object's size in `bytes 0-9/100`. */
const totalSize = (contentRange: string | undefined) => {
  const total = contentRange?.match(/\/(\d+)$/)?.[1];
  return total === undefined ? undefined : Number(total);
};

/**
 * Bytes of the memory a socket read into, above which it is given back at once. Node reads 64 KiB at a time, each into an
 * ArrayBuffer of its own; left to the garbage collector, those of a shard of some megabytes bring a collection of all
 * the heap about, which costs more than the shard. Smaller ones may be of Node's pool, which others use too.
 */
const OWN_MEMORY = 16 * 1024;

/** @returns undefined where less came than was announced */
async function wholeBody({ Body, ContentLength }: GetObjectCommandOutput) {
  try {
    if (ContentLength !== undefined && Body instanceof IncomingMessage)
      return await readBody(Body, ContentLength);
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
    if (ContentLength !== undefined && bytes.length !== ContentLength) return undefined;
    // The SDK types its bytes loosely: they are in an ArrayBuffer of their own, never a shared one.
    return bytes as Uint8Array<ArrayBuffer>;
  } catch {
    // The connection was lost on the way.
    return undefined;
  }
}

/** @returns undefined where less or more came */
async function readBody(body: IncomingMessage, length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const chunk of body as AsyncIterable<Buffer<ArrayBuffer>>) {
    if (at + chunk.length > length) return undefined;
    bytes.set(chunk, at);
    at += chunk.length;
    // Of a body whose length was announced each read is one chunk: nothing else looks at that memory any more.
    if (chunk.buffer.byteLength > OWN_MEMORY) chunk.buffer.transfer(0);
  }
  return at === length ? bytes : undefined;
}

function conditionHeaders({ condition }: PutOptions): { IfNoneMatch?: string; IfMatch?: string } {
  if (condition === undefined) return {};
  return condition === 'create' ? { IfNoneMatch: '*' } : { IfMatch: condition.match };
}

/** A conditional put that did not happen: 412, and 404 where If-Match met no object at all. */
const isRefusal = (thrown: unknown, options: PutOptions) =>
  s3Status(thrown) === 412 ||
  (s3Status(thrown) === 404 && s3Code(thrown) === 'NoSuchKey' && options.condition !== undefined);

const isMissing = (thrown: unknown) => s3Status(thrown) === 404 && s3Code(thrown) !== 'NoSuchBucket';

export function s3Store({ client, bucket }: S3StoreOptions): ObjectStore {
  async function get(key: string, range?: ByteRange, attempt = 1): Promise<StoredObject> {
    const answer = await client.send(
      new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ...(range === undefined ? {} : { Range: rangeHeader(key, range) }),
      }),
    );
    const body = await wholeBody(answer);
    if (body === undefined) {
      if (attempt < BODY_ATTEMPTS) return get(key, range, attempt + 1);
      throw storeFault('unavailable', `could not get ${key}: its body broke off ${attempt} times`);
    }
    const size = range === undefined ? body.length : totalSize(answer.ContentRange);
    if (range !== undefined && size !== undefined && range.end > size) throw outsideRange(key, range, size);
    return { ...info(key, size, answer), body };
  }

  /**
   * A refusal is also what a writer sees whose first try was stored but whose answer was lost: the SDK tries again, and
   * meets its own object. Equal bytes would not tell, as many write the same; the put's name does.
   */
  async function refused(key: string, name: string): Promise<PutOutcome> {
    const there = await orMissing(client.send(new HeadObjectCommand({ Bucket: bucket, Key: key })));
    return there?.ETag !== undefined && there.Metadata?.[PUT_NAME] === name
      ? { kind: 'written', etag: there.ETag }
      : { kind: 'refused' };
  }

  async function put(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const name = options.condition === undefined ? undefined : randomUUID();
    const metadata = name === undefined ? options.metadata : { ...options.metadata, [PUT_NAME]: name };
    for (let attempt = 0; ; attempt++) {
      try {
        const { ETag } = await client.send(
          new PutObjectCommand({
            Bucket: bucket,
            Key: key,
            Body: body,
            ContentLength: body.length,
            ...(options.contentType === undefined ? {} : { ContentType: options.contentType }),
            ...(metadata === undefined ? {} : { Metadata: { ...metadata } }),
            ...conditionHeaders(options),
          }),
        );
        if (ETag === undefined) throw storeFault('bad_gateway', `no etag for ${key}`);
        return { kind: 'written', etag: ETag };
      } catch (thrown) {
        if (isRefusal(thrown, options))
          return name === undefined ? { kind: 'refused' } : await refused(key, name);
        if (s3Status(thrown) !== 409 || attempt + 1 >= CONFLICT_ATTEMPTS) throw thrown;
        await sleep(Math.random() * CONFLICT_WAIT_MS * 2 ** attempt);
      }
    }
  }

  async function guarded<T>(action: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (thrown) {
      throw classifyS3Error(thrown, action);
    }
  }

  const orMissing = <T>(call: Promise<T>): Promise<T | undefined> =>
    call.catch((thrown: unknown) => {
      if (isMissing(thrown)) return undefined;
      throw thrown;
    });

  return {
    get: (key, { range } = {}) => guarded(`get ${key}`, () => orMissing(get(key, range))),

    head: (key) =>
      guarded(`head ${key}`, () =>
        orMissing(
          client
            .send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
            .then((answer) => info(key, answer.ContentLength, answer)),
        ),
      ),

    put: (key, body, options = {}) => guarded(`put ${key}`, () => put(key, body, options)),

    delete: (key) =>
      guarded(`delete ${key}`, async () => {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
      }),

    list: (prefix, { cursor, limit = MAX_PAGE }: ListOptions = {}) =>
      guarded(`list ${prefix}`, async () => {
        if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
          const message = `limit: ${limit} is no whole number from 1 to ${MAX_PAGE}`;
          throw new Fault('invalid', message, { field: 'limit' });
        }
        const page = await client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: prefix,
            MaxKeys: limit,
            ...(cursor === undefined ? {} : { ContinuationToken: cursor }),
          }),
        );
        return {
          objects: (page.Contents ?? []).map((object) => info(object.Key ?? '', object.Size, object)),
          ...(page.NextContinuationToken === undefined ? {} : { cursor: page.NextContinuationToken }),
        };
      }),
  };
}
