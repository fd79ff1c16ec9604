/**
 * S3's buckets on two R2 buckets: the main one is the Workers' own, key for key; all others share OTHERS under a
 * prefix each, and exist for conformance tests and tools that want a bucket to themselves.
 */
import type { Bucket, BucketCall, NewBucketCall, ServiceCall } from './calls.ts';
import type { GatewayEnvironment } from './environment.ts';
import { S3Error } from './errors.ts';
import { document, element, S3_NAMESPACE, xmlResponse } from './xml.ts';

const MARKERS = 'buckets/';
const markerKey = (name: string) => `${MARKERS}${name}`;

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, without the reserved affixes */
const NAME = /^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** @throws S3Error NoSuchBucket */
export async function openBucket(environment: GatewayEnvironment, name: string): Promise<Bucket> {
  if (name === environment.MAIN_BUCKET) return { name, r2: environment.BUCKET, prefix: '' };
  if ((await environment.OTHERS.head(markerKey(name))) === null) throw new S3Error('NoSuchBucket');
  return { name, r2: environment.OTHERS, prefix: `objects/${name}/` };
}

export async function createBucket({ environment, name }: NewBucketCall): Promise<Response> {
  if (!NAME.test(name)) throw new S3Error('InvalidBucketName');
  const made =
    name === environment.MAIN_BUCKET
      ? null
      : await environment.OTHERS.put(markerKey(name), '', { onlyIf: { etagDoesNotMatch: '*' } });
  if (made === null) throw new S3Error('BucketAlreadyOwnedByYou');
  return new Response(null, { headers: { location: `/${name}` } });
}

export const headBucket = async () => new Response(null, { headers: { 'x-amz-bucket-region': 'us-east-1' } });

export async function deleteBucket({ bucket, environment }: BucketCall): Promise<Response> {
  if (bucket.prefix === '') throw new S3Error('AccessDenied', 'The main bucket cannot be deleted');
  const { objects } = await bucket.r2.list({ prefix: bucket.prefix, limit: 1 });
  if (objects.length > 0) throw new S3Error('BucketNotEmpty');
  await environment.OTHERS.delete(markerKey(bucket.name));
  return new Response(null, { status: 204 });
}

/** At most 1,000, without paging: this is a development server. */
export async function listBuckets({ environment }: ServiceCall): Promise<Response> {
  const { objects } = await environment.OTHERS.list({ prefix: MARKERS });
  const named = [
    { name: environment.MAIN_BUCKET, created: new Date(0) },
    ...objects.map(({ key, uploaded }) => ({ name: key.slice(MARKERS.length), created: uploaded })),
  ];
  const buckets = named.map(({ name, created }) =>
    element('Bucket', [element('Name', name), element('CreationDate', created.toISOString())]),
  );
  return xmlResponse(
    document(element('ListAllMyBucketsResult', [element('Buckets', buckets)], S3_NAMESPACE)),
  );
}

/** An empty constraint is us-east-1. */
export const getBucketLocation = async () =>
  xmlResponse(document(element('LocationConstraint', '', S3_NAMESPACE)));
