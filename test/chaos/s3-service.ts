/** The part of S3's wire protocol that the fleet speaks, in this process: what the AWS SDK's client sends its requests to. */
import { Readable } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { s3Store } from '../../cloud/adapters/s3-store.ts';
import type { ObjectInfo, ObjectStore } from '../../core/storage/object-store.ts';

export interface S3Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface S3Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | Readable;
}

export type Serve = (request: S3Request) => Promise<S3Answer>;

const BUCKET = 'chaos';
const encoder = new TextEncoder();

export const keyOf = ({ path }: S3Request): string => decodeURIComponent(path.slice(BUCKET.length + 2));

export const s3Error = (statusCode: number, code: string): S3Answer => ({
  statusCode,
  headers: { 'content-type': 'application/xml' },
  body: encoder.encode(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`),
});

const META = 'x-amz-meta-';

function describe({ etag, modifiedAt, size, metadata = {} }: ObjectInfo): Record<string, string> {
  const meta = Object.entries(metadata).map(([name, value]) => [META + name, value]);
  return {
    etag,
    'last-modified': modifiedAt.toUTCString(),
    'content-length': String(size),
    ...Object.fromEntries(meta),
  };
}

/** GET, HEAD and create-only PUT of whole objects. @throws where it is asked for anything else: the fleet does not */
export function serveS3(objects: ObjectStore): Serve {
  return async (request) => {
    const key = keyOf(request);
    switch (request.method) {
      case 'GET': {
        const object = await objects.get(key);
        if (object === undefined) return s3Error(404, 'NoSuchKey');
        return { statusCode: 200, headers: describe(object), body: object.body };
      }
      case 'HEAD': {
        const info = await objects.head(key);
        if (info === undefined) return { statusCode: 404, headers: {}, body: new Uint8Array() };
        return { statusCode: 200, headers: describe(info), body: new Uint8Array() };
      }
      case 'PUT': {
        const headers = Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]);
        const given = Object.fromEntries(headers) as Record<string, string>;
        if (given['if-none-match'] !== '*' || !(request.body instanceof Uint8Array))
          throw new Error(`${key} is written without a condition, or not from memory`);
        const metadata = Object.fromEntries(
          Object.entries(given).flatMap(([name, value]) =>
            name.startsWith(META) ? [[name.slice(META.length), value]] : [],
          ),
        );
        const outcome = await objects.put(key, request.body, { condition: 'create', metadata });
        if (outcome.kind === 'refused') return s3Error(412, 'PreconditionFailed');
        return { statusCode: 200, headers: { etag: outcome.etag }, body: new Uint8Array() };
      }
      default:
        throw new Error(`${request.method} ${request.path}: not served`);
    }
  };
}

/** The SDK's own count. */
const ATTEMPTS = 4;

/** The store adapter and the SDK client that ship, at the other end of whose wire `serve` is; retries do not wait. */
export function storeOver(serve: Serve): ObjectStore {
  interface Token {
    readonly tries: number;
    getRetryCount(): number;
    getRetryDelay(): number;
  }
  const token = (tries: number): Token => ({ tries, getRetryCount: () => tries, getRetryDelay: () => 0 });
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: 'http://s3.invalid',
    forcePathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 's' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    retryStrategy: {
      mode: 'standard',
      acquireInitialRetryToken: () => Promise.resolve(token(0)),
      refreshRetryTokenForRetry(before, { errorType }) {
        const tries = before.getRetryCount() + 1;
        if (errorType === 'CLIENT_ERROR' || tries >= ATTEMPTS) throw new Error('no more tries');
        return Promise.resolve(token(tries));
      },
      recordSuccess: () => undefined,
    },
    requestHandler: {
      async handle(request: S3Request) {
        const { body, ...answer } = await serve(request);
        return { response: { ...answer, body: body instanceof Readable ? body : Readable.from([body]) } };
      },
    },
  });
  return s3Store({ client, bucket: BUCKET });
}
