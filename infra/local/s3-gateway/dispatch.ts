/** Which operation a request is: S3 tells them apart by method, resource and the presence of query parameters. */
import { bucketLocation, deleteObjects, listObjects } from './buckets.ts';
import type { Call } from './environment.ts';
import { S3Error } from './errors.ts';
import { abortUpload, completeUpload, createUpload, uploadPart } from './multipart.ts';
import { copyObject, deleteObject, getObject, headObject, putObject } from './objects.ts';
import { param, type S3Request } from './request.ts';

/** The bucket of the local stack; there is no other. */
export const BUCKET_NAME = 'causeway';

/** Features of S3 that R2 does not have; silence would look like success. */
const UNSUPPORTED = [
  'acl',
  'analytics',
  'cors',
  'encryption',
  'lifecycle',
  'logging',
  'notification',
  'object-lock',
  'policy',
  'replication',
  'restore',
  'tagging',
  'torrent',
  'versioning',
  'versions',
  'website',
];

export function dispatch(call: Call, request: S3Request): Promise<Response> | Response {
  const { bucket, key, method, query } = request;
  const unsupported = query.find(([name]) => UNSUPPORTED.includes(name));
  if (unsupported !== undefined) throw new S3Error('NotImplemented', `${unsupported[0]} is not implemented`);
  if (bucket === undefined) throw new S3Error('NotImplemented', 'ListBuckets is not implemented');
  if (bucket !== BUCKET_NAME) {
    if (method === 'PUT' && key === undefined) {
      throw new S3Error('InvalidBucketName', `This gateway has one bucket, ${BUCKET_NAME}.`);
    }
    throw new S3Error('NoSuchBucket');
  }
  return key === undefined ? onBucket(call, request) : onObject(call, request, key);
}

function onBucket(call: Call, request: S3Request): Promise<Response> | Response {
  const has = (name: string) => param(request, name) !== undefined;
  switch (request.method) {
    case 'PUT':
      throw new S3Error('BucketAlreadyOwnedByYou');
    case 'HEAD':
      return new Response(null);
    case 'GET':
      if (has('location')) return bucketLocation();
      if (param(request, 'list-type') === '2') return listObjects(call, request, BUCKET_NAME);
      throw new S3Error('NotImplemented', 'Of the listings only ListObjectsV2 is implemented');
    case 'POST':
      if (has('delete')) return deleteObjects(call);
      break;
  }
  throw new S3Error('MethodNotAllowed');
}

function onObject(call: Call, request: S3Request, key: string): Promise<Response> {
  const uploadId = param(request, 'uploadId');
  switch (request.method) {
    case 'PUT':
      if (uploadId !== undefined) return uploadPart(call, request, key, uploadId);
      if (request.headers.has('x-amz-copy-source')) return copyObject(call, request, key, BUCKET_NAME);
      return putObject(call, request, key);
    case 'GET':
      if (uploadId !== undefined) throw new S3Error('NotImplemented', 'ListParts is not implemented');
      return getObject(call, request, key);
    case 'HEAD':
      return headObject(call, request, key);
    case 'DELETE':
      return uploadId === undefined ? deleteObject(call, request, key) : abortUpload(call, key, uploadId);
    case 'POST':
      if (param(request, 'uploads') !== undefined) return createUpload(call, request, key, BUCKET_NAME);
      if (uploadId !== undefined) return completeUpload(call, request, key, BUCKET_NAME, uploadId);
      break;
  }
  throw new S3Error('MethodNotAllowed');
}
