/** DeleteObjects: up to 1,000 keys in one call. */
import { readBody } from './body.ts';
import type { BucketCall } from './calls.ts';
import { S3Error } from './errors.ts';
import { childText, document, element, parseXml, S3_NAMESPACE, xmlResponse } from './xml.ts';

const MAX_KEYS = 1_000;
const decoder = new TextDecoder();

export async function deleteObjects({ raw, payloadHash, bucket }: BucketCall): Promise<Response> {
  const { bytes, checksum } = await readBody(raw, payloadHash);
  if (checksum === undefined && !raw.headers.has('content-md5')) {
    throw new S3Error(
      'InvalidRequest',
      'Missing required header for this request: Content-MD5 or x-amz-checksum-…',
    );
  }
  const root = parseXml(decoder.decode(bytes));
  if (root?.name !== 'Delete') throw new S3Error('MalformedXML');
  const objects = root.children.filter(({ name }) => name === 'Object');
  if (objects.length < 1 || objects.length > MAX_KEYS) throw new S3Error('MalformedXML');
  const keys = objects.map((object) => {
    const key = childText(object, 'Key');
    if (key === undefined || key === '') throw new S3Error('MalformedXML');
    if (childText(object, 'VersionId') !== undefined)
      throw new S3Error('NotImplemented', 'R2 has no versions');
    return key;
  });
  await bucket.r2.delete(keys.map((key) => bucket.prefix + key));
  const quiet = childText(root, 'Quiet') === 'true';
  const deleted = quiet ? [] : keys.map((key) => element('Deleted', [element('Key', key)]));
  return xmlResponse(document(element('DeleteResult', deleted, S3_NAMESPACE)));
}
