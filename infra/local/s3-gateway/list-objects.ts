/** ListObjectsV2. R2 pages in ascending UTF-8 order and groups by delimiter as S3 does. */
import type { BucketCall } from './calls.ts';
import { uriEncode } from './canonical.ts';
import { S3Error } from './errors.ts';
import { intParam, param } from './request.ts';
import { document, element, S3_NAMESPACE, type Xml, xmlResponse } from './xml.ts';

const MAX_KEYS = 1_000;
/** A larger number is allowed, and means this many. */
const ANY = [0, 2 ** 31 - 1] as const;

/** Slashes stay, as S3 leaves them. */
const urlEncode = (text: string) => uriEncode(text).replaceAll('%2F', '/');

export async function listObjectsV2({ request, bucket }: BucketCall): Promise<Response> {
  const encoding = param(request, 'encoding-type');
  if (encoding !== undefined && encoding !== 'url') {
    throw new S3Error('InvalidArgument', `encoding-type is ${encoding}: only url is allowed`);
  }
  const encode = encoding === 'url' ? urlEncode : (text: string) => text;
  const asked = intParam(request, 'max-keys', MAX_KEYS, ANY);
  const limit = Math.min(asked, MAX_KEYS);
  const prefix = param(request, 'prefix') ?? '';
  const delimiter = param(request, 'delimiter');
  const startAfter = param(request, 'start-after');
  const token = param(request, 'continuation-token');
  if (token === '') throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect');

  const page: R2Objects =
    limit === 0
      ? { objects: [], delimitedPrefixes: [], truncated: false }
      : await bucket.r2.list({
          prefix: bucket.prefix + prefix,
          limit,
          ...(delimiter === undefined || delimiter === '' ? {} : { delimiter }),
          ...(token === undefined ? {} : { cursor: token }),
          ...(token !== undefined || startAfter === undefined || startAfter === ''
            ? {}
            : { startAfter: bucket.prefix + startAfter }),
        });
  const own = (key: string) => key.slice(bucket.prefix.length);
  const optional = (name: string, value: string | undefined): Xml | undefined =>
    value === undefined ? undefined : element(name, value);
  const contents = page.objects.map((object) =>
    element('Contents', [
      element('Key', encode(own(object.key))),
      element('LastModified', object.uploaded.toISOString()),
      element('ETag', object.httpEtag),
      element('Size', object.size),
      element('StorageClass', 'STANDARD'),
    ]),
  );
  const groups = page.delimitedPrefixes.map((group) =>
    element('CommonPrefixes', [element('Prefix', encode(own(group)))]),
  );
  return xmlResponse(
    document(
      element(
        'ListBucketResult',
        [
          element('Name', bucket.name),
          element('Prefix', encode(prefix)),
          optional('Delimiter', delimiter === undefined ? undefined : encode(delimiter)),
          optional('StartAfter', startAfter === undefined ? undefined : encode(startAfter)),
          optional('EncodingType', encoding),
          element('MaxKeys', asked),
          element('KeyCount', contents.length + groups.length),
          element('IsTruncated', page.truncated),
          optional('ContinuationToken', token),
          optional('NextContinuationToken', page.truncated ? page.cursor : undefined),
          ...contents,
          ...groups,
        ],
        S3_NAMESPACE,
      ),
    ),
  );
}
