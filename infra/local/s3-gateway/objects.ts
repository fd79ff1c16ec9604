/** GetObject, HeadObject, PutObject, DeleteObject. */
import { readBody } from './body.ts';
import type { Bucket, ObjectCall } from './calls.ts';
import { evaluate, writeCondition } from './conditions.ts';
import { S3Error } from './errors.ts';
import { customMetadata, httpMetadata, objectHeaders, RESPONSE_OVERRIDES } from './metadata.ts';
import { type AskedRange, parseRange, resolveRange } from './ranges.ts';
import { param, type S3Request } from './request.ts';

function responseHeaders(object: R2Object, request: S3Request): Headers {
  const headers = objectHeaders(object, request.headers.get('x-amz-checksum-mode') === 'ENABLED');
  for (const [name, header] of Object.entries(RESPONSE_OVERRIDES)) {
    const value = param(request, name);
    if (value !== undefined) headers.set(header, value);
  }
  return headers;
}

/** The answer where a condition does not hold. */
function unmet(object: R2Object, request: S3Request): Response | undefined {
  const verdict = evaluate(request.headers, object);
  if (verdict === 'failed') throw new S3Error('PreconditionFailed');
  if (verdict === 'ok') return undefined;
  const headers = responseHeaders(object, request);
  headers.delete('content-type');
  return new Response(null, { status: 304, headers });
}

/** R2 refuses a range that selects nothing with an error of no code of its own: the size tells. */
async function fetchObject({ r2, prefix }: Bucket, key: string, range: AskedRange | undefined) {
  if (range === undefined) return r2.get(prefix + key);
  try {
    return await r2.get(prefix + key, { range });
  } catch (thrown) {
    const object = await r2.head(prefix + key);
    if (object !== null && resolveRange(range, object.size) === undefined) throw new S3Error('InvalidRange');
    throw thrown;
  }
}

export async function getObject({ request, bucket, key }: ObjectCall): Promise<Response> {
  const range = parseRange(request.headers.get('range'));
  const object = await fetchObject(bucket, key, range);
  if (object === null) throw new S3Error('NoSuchKey');
  const refusal = unmet(object, request);
  if (refusal !== undefined) {
    await object.body.cancel();
    return refusal;
  }
  const headers = responseHeaders(object, request);
  const selected = range === undefined ? undefined : resolveRange(range, object.size);
  if (selected !== undefined) {
    headers.set('content-range', `bytes ${selected.first}-${selected.last}/${object.size}`);
    // A checksum is of the whole object.
    for (const name of headers.keys()) if (name.startsWith('x-amz-checksum-')) headers.delete(name);
  }
  // Manual: the bytes are stored as they were sent; workerd would encode them again.
  return new Response(object.body, {
    status: selected === undefined ? 200 : 206,
    headers,
    encodeBody: 'manual',
  });
}

export async function headObject({ request, bucket, key }: ObjectCall): Promise<Response> {
  const object = await bucket.r2.head(bucket.prefix + key);
  if (object === null) throw new S3Error('NoSuchKey');
  const refusal = unmet(object, request);
  if (refusal !== undefined) return refusal;
  const headers = responseHeaders(object, request);
  headers.set('content-length', String(object.size));
  return new Response(null, { headers, encodeBody: 'manual' });
}

/** A conditional put that R2 refused: S3 tells a key that is not there from one that has changed. */
export async function refusedPut({ r2, prefix }: Bucket, key: string, condition: object): Promise<never> {
  const missing = 'etagMatches' in condition && (await r2.head(prefix + key)) === null;
  throw new S3Error(missing ? 'NoSuchKey' : 'PreconditionFailed');
}

export async function putObject({ request, raw, payloadHash, bucket, key }: ObjectCall): Promise<Response> {
  const condition = writeCondition(request.headers);
  const { bytes, checksum } = await readBody(raw, payloadHash);
  const options = {
    httpMetadata: httpMetadata(request.headers),
    customMetadata: customMetadata(request.headers, checksum),
  };
  const object: R2Object | null = await bucket.r2.put(
    bucket.prefix + key,
    bytes,
    condition === undefined ? options : { ...options, onlyIf: condition },
  );
  if (object === null) return refusedPut(bucket, key, condition ?? {});
  const headers = new Headers({ etag: object.httpEtag });
  if (checksum !== undefined) headers.set(checksum.header, checksum.value);
  return new Response(null, { headers });
}

/** R2's binding has no conditional delete: the check and the delete are two steps, unlike on S3. */
export async function deleteObject({ request, bucket, key }: ObjectCall): Promise<Response> {
  if (request.headers.has('if-match')) {
    const object = await bucket.r2.head(bucket.prefix + key);
    if (object === null) throw new S3Error('NoSuchKey');
    if (evaluate(request.headers, object) !== 'ok') throw new S3Error('PreconditionFailed');
  }
  await bucket.r2.delete(bucket.prefix + key);
  return new Response(null, { status: 204 });
}
