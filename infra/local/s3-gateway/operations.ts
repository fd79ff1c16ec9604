/** Which operation a request asks for: one table, and a refusal of all that is not in it. */
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  headBucket,
  listBuckets,
  openBucket,
} from './buckets.ts';
import type { BucketCall, NewBucketCall, ObjectCall, ServiceCall } from './calls.ts';
import { copyObject } from './copy-object.ts';
import { deleteObjects } from './delete-objects.ts';
import { S3Error } from './errors.ts';
import { listObjectsV2 } from './list-objects.ts';
import { listMultipartUploads, listParts } from './list-uploads.ts';
import { RESPONSE_OVERRIDES } from './metadata.ts';
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
  uploadPart,
} from './multipart.ts';
import { deleteObject, getObject, headObject, putObject } from './objects.ts';
import type { S3Request } from './request.ts';

/** Query parameters that tell operations apart, with a value to match or any; and those that may come along. */
interface Match {
  readonly method: string;
  readonly needs?: Readonly<Record<string, string | undefined>>;
  readonly header?: string;
  readonly allows?: readonly string[];
}

type Operation = Match &
  (
    | { readonly on: 'service'; readonly run: (call: ServiceCall) => Promise<Response> }
    | { readonly on: 'new bucket'; readonly run: (call: NewBucketCall) => Promise<Response> }
    | { readonly on: 'bucket'; readonly run: (call: BucketCall) => Promise<Response> }
    | { readonly on: 'object'; readonly run: (call: ObjectCall) => Promise<Response> }
  );

const OVERRIDES = Object.keys(RESPONSE_OVERRIDES);
const LIST = [
  'prefix',
  'delimiter',
  'max-keys',
  'start-after',
  'continuation-token',
  'encoding-type',
  'fetch-owner',
];
const LIST_UPLOADS = ['prefix', 'key-marker', 'upload-id-marker', 'max-uploads'];
const LIST_PARTS = ['max-parts', 'part-number-marker'];
const UPLOAD = { uploadId: undefined };

/** The more specific of two that fit comes first. */
const OPERATIONS: readonly Operation[] = [
  { on: 'service', method: 'GET', run: listBuckets },
  { on: 'new bucket', method: 'PUT', run: createBucket },
  { on: 'bucket', method: 'HEAD', run: headBucket },
  { on: 'bucket', method: 'DELETE', run: deleteBucket },
  { on: 'bucket', method: 'GET', needs: { 'list-type': '2' }, allows: LIST, run: listObjectsV2 },
  {
    on: 'bucket',
    method: 'GET',
    needs: { uploads: undefined },
    allows: LIST_UPLOADS,
    run: listMultipartUploads,
  },
  { on: 'bucket', method: 'GET', needs: { location: undefined }, run: getBucketLocation },
  { on: 'bucket', method: 'POST', needs: { delete: undefined }, run: deleteObjects },
  { on: 'object', method: 'POST', needs: { uploads: undefined }, run: createMultipartUpload },
  { on: 'object', method: 'POST', needs: UPLOAD, run: completeMultipartUpload },
  { on: 'object', method: 'DELETE', needs: UPLOAD, run: abortMultipartUpload },
  { on: 'object', method: 'GET', needs: UPLOAD, allows: LIST_PARTS, run: listParts },
  { on: 'object', method: 'PUT', header: 'x-amz-copy-source', run: copyObject },
  { on: 'object', method: 'PUT', needs: { ...UPLOAD, partNumber: undefined }, run: uploadPart },
  { on: 'object', method: 'PUT', run: putObject },
  { on: 'object', method: 'GET', allows: OVERRIDES, run: getObject },
  { on: 'object', method: 'HEAD', allows: OVERRIDES, run: headObject },
  { on: 'object', method: 'DELETE', run: deleteObject },
];

/** The SDK names the operation in the query; `X-Amz-…` is the signature of a presigned URL. */
const isTransport = (name: string) => name === 'x-id' || name.toLowerCase().startsWith('x-amz-');

/** To ignore these would be to promise what is not done. */
const REFUSED_HEADERS = [
  'x-amz-acl',
  'x-amz-grant-',
  'x-amz-object-lock-',
  'x-amz-server-side-encryption',
  'x-amz-tagging',
  'x-amz-website-redirect-location',
  'x-amz-write-offset-bytes',
];

const scopeFits = (on: Operation['on'], { bucket, key }: S3Request) =>
  on === 'object'
    ? key !== undefined
    : on === 'service'
      ? bucket === undefined
      : bucket !== undefined && key === undefined;

function fits(operation: Operation, request: S3Request): boolean {
  const needs = Object.entries(operation.needs ?? {});
  return (
    operation.method === request.method &&
    scopeFits(operation.on, request) &&
    (operation.header === undefined || request.headers.has(operation.header)) &&
    needs.every(([name, wanted]) =>
      request.query.some(([given, value]) => given === name && (wanted === undefined || wanted === value)),
    )
  );
}

/** @throws S3Error NotImplemented for a parameter or header that is not understood: `?tagging` must not be a put */
function findOperation(request: S3Request): Operation {
  const found = OPERATIONS.find((operation) => fits(operation, request));
  const known = new Set([...Object.keys(found?.needs ?? {}), ...(found?.allows ?? [])]);
  const unknown = request.query.find(([name]) => !isTransport(name) && !known.has(name))?.[0];
  if (unknown !== undefined)
    throw new S3Error('NotImplemented', `The parameter ${unknown} is not implemented here`);
  if (found === undefined) throw new S3Error('MethodNotAllowed');
  const refused = [...request.headers.keys()].find((name) =>
    REFUSED_HEADERS.some((start) => name.startsWith(start)),
  );
  if (refused !== undefined)
    throw new S3Error('NotImplemented', `The header ${refused} is not implemented here`);
  return found;
}

export async function runOperation(call: ServiceCall): Promise<Response> {
  const { request, environment } = call;
  const operation = findOperation(request);
  const name = request.bucket ?? '';
  switch (operation.on) {
    case 'service':
      return operation.run(call);
    case 'new bucket':
      return operation.run({ ...call, name });
    case 'bucket':
      return operation.run({ ...call, bucket: await openBucket(environment, name) });
    case 'object':
      return operation.run({ ...call, bucket: await openBucket(environment, name), key: request.key ?? '' });
  }
}
