/** CopyObject, within the gateway's buckets. */
import { openBucket } from './buckets.ts';
import type { ObjectCall } from './calls.ts';
import { evaluate, writeCondition } from './conditions.ts';
import { S3Error } from './errors.ts';
import { customMetadata, httpMetadata } from './metadata.ts';
import { refusedPut } from './objects.ts';
import { document, element, S3_NAMESPACE, xmlResponse } from './xml.ts';

/** `x-amz-copy-source: /bucket/key`, percent-encoded, the first slash optional. */
function parseSource(header: string): { name: string; key: string } {
  if (header.includes('?')) throw new S3Error('NotImplemented', 'Copying a version is not implemented');
  let path: string;
  try {
    path = decodeURIComponent(header).replace(/^\//, '');
  } catch (cause) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source is not valid percent-encoding', cause);
  }
  const slash = path.indexOf('/');
  if (slash < 1 || slash === path.length - 1) {
    throw new S3Error('InvalidArgument', `x-amz-copy-source is ${header}: /bucket/key is allowed`);
  }
  return { name: path.slice(0, slash), key: path.slice(slash + 1) };
}

function replacesMetadata(headers: Headers): boolean {
  const directive = headers.get('x-amz-metadata-directive') ?? 'COPY';
  if (directive === 'COPY' || directive === 'REPLACE') return directive === 'REPLACE';
  throw new S3Error(
    'InvalidArgument',
    `x-amz-metadata-directive is ${directive}: COPY or REPLACE is allowed`,
  );
}

export async function copyObject({ request, environment, bucket, key }: ObjectCall): Promise<Response> {
  const { headers } = request;
  const condition = writeCondition(headers);
  const source = parseSource(headers.get('x-amz-copy-source') ?? '');
  const replace = replacesMetadata(headers);
  if (source.name === bucket.name && source.key === key && !replace) {
    throw new S3Error(
      'InvalidRequest',
      'This copy request is illegal: it copies an object to itself unchanged.',
    );
  }
  const from = await openBucket(environment, source.name);
  const object = await from.r2.get(from.prefix + source.key);
  if (object === null) throw new S3Error('NoSuchKey');
  if (evaluate(headers, object, 'x-amz-copy-source-') !== 'ok') {
    await object.body.cancel();
    throw new S3Error('PreconditionFailed');
  }
  const kept = { httpMetadata: object.httpMetadata ?? {}, customMetadata: object.customMetadata ?? {} };
  const given = { httpMetadata: httpMetadata(headers), customMetadata: customMetadata(headers, undefined) };
  const copy: R2Object | null = await bucket.r2.put(bucket.prefix + key, object.body, {
    ...(replace ? given : kept),
    ...(condition === undefined ? {} : { onlyIf: condition }),
  });
  if (copy === null) return refusedPut(bucket, key, condition ?? {});
  const result = [element('ETag', copy.httpEtag), element('LastModified', copy.uploaded.toISOString())];
  return xmlResponse(document(element('CopyObjectResult', result, S3_NAMESPACE)));
}
