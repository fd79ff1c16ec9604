/** CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload. */
import { readBody } from './body.ts';
import type { ObjectCall } from './calls.ts';
import { evaluate, unquote, writeCondition } from './conditions.ts';
import { S3Error } from './errors.ts';
import { customMetadata, httpMetadata } from './metadata.ts';
import { intParam, param } from './request.ts';
import { uploadRecords } from './uploads.ts';
import { childText, document, element, parseXml, S3_NAMESPACE, xmlResponse } from './xml.ts';

export const MAX_PARTS = 10_000;
const decoder = new TextDecoder();

export const uploadIdOf = ({ request }: ObjectCall) => param(request, 'uploadId') ?? '';
const recordsOf = ({ environment, bucket }: ObjectCall) => uploadRecords(environment.OTHERS, bucket);

export async function createMultipartUpload(call: ObjectCall): Promise<Response> {
  const { request, bucket, key } = call;
  const { uploadId } = await bucket.r2.createMultipartUpload(bucket.prefix + key, {
    httpMetadata: httpMetadata(request.headers),
    customMetadata: customMetadata(request.headers, undefined),
  });
  await recordsOf(call).open({ key, uploadId, initiated: new Date().toISOString() });
  const result = [element('Bucket', bucket.name), element('Key', key), element('UploadId', uploadId)];
  return xmlResponse(document(element('InitiateMultipartUploadResult', result, S3_NAMESPACE)));
}

export async function uploadPart(call: ObjectCall): Promise<Response> {
  const { request, raw, payloadHash, bucket, key } = call;
  const uploadId = uploadIdOf(call);
  const number = intParam(request, 'partNumber', 0, [1, MAX_PARTS]);
  if (number === 0) throw new S3Error('InvalidArgument', `partNumber: a whole number from 1 to ${MAX_PARTS}`);
  const { bytes, checksum } = await readBody(raw, payloadHash);
  const upload = bucket.r2.resumeMultipartUpload(bucket.prefix + key, uploadId);
  const { etag } = await upload.uploadPart(number, bytes);
  await recordsOf(call).addPart(uploadId, { number, etag, size: bytes.length });
  const headers = new Headers({ etag: `"${etag}"` });
  if (checksum !== undefined) headers.set(checksum.header, checksum.value);
  return new Response(null, { headers });
}

/** `<CompleteMultipartUpload><Part><PartNumber/><ETag/></Part>…`: at least one part, in ascending order. */
function parseParts(body: string): R2UploadedPart[] {
  const root = parseXml(body);
  if (root?.name !== 'CompleteMultipartUpload') throw new S3Error('MalformedXML');
  const parts = root.children
    .filter(({ name }) => name === 'Part')
    .map((part) => {
      const partNumber = Number(childText(part, 'PartNumber'));
      const etag = childText(part, 'ETag');
      if (!Number.isInteger(partNumber) || partNumber < 1 || etag === undefined)
        throw new S3Error('MalformedXML');
      return { partNumber, etag: unquote(etag) };
    });
  if (parts.length === 0) throw new S3Error('MalformedXML');
  if (parts.some(({ partNumber }, index) => partNumber <= (parts[index - 1]?.partNumber ?? 0))) {
    throw new S3Error('InvalidPartOrder');
  }
  return parts;
}

/** R2's binding completes unconditionally: the check and the completion are two steps, unlike on S3. */
async function checkCondition({ request, bucket, key }: ObjectCall): Promise<void> {
  const condition = writeCondition(request.headers);
  if (condition === undefined) return;
  const object = await bucket.r2.head(bucket.prefix + key);
  if (object === null) {
    if ('etagMatches' in condition) throw new S3Error('NoSuchKey');
  } else if (evaluate(request.headers, object) !== 'ok') throw new S3Error('PreconditionFailed');
}

export async function completeMultipartUpload(call: ObjectCall): Promise<Response> {
  const { raw, payloadHash, bucket, key } = call;
  const uploadId = uploadIdOf(call);
  // x-amz-checksum-… of a completion is of the whole object, not of this body, and R2 keeps none for parts.
  const headers = new Headers([...raw.headers].filter(([name]) => !name.startsWith('x-amz-checksum-')));
  const body = await readBody(new Request(raw, { headers }), payloadHash);
  const parts = parseParts(decoder.decode(body.bytes));
  await recordsOf(call).find(key, uploadId);
  await checkCondition(call);
  const object = await bucket.r2.resumeMultipartUpload(bucket.prefix + key, uploadId).complete(parts);
  await recordsOf(call).close(uploadId);
  const result = [
    element('Location', `/${bucket.name}/${key}`),
    element('Bucket', bucket.name),
    element('Key', key),
    element('ETag', object.httpEtag),
  ];
  return xmlResponse(document(element('CompleteMultipartUploadResult', result, S3_NAMESPACE)));
}

export async function abortMultipartUpload(call: ObjectCall): Promise<Response> {
  const { bucket, key } = call;
  const uploadId = uploadIdOf(call);
  await recordsOf(call).find(key, uploadId);
  await bucket.r2.resumeMultipartUpload(bucket.prefix + key, uploadId).abort();
  await recordsOf(call).close(uploadId);
  return new Response(null, { status: 204 });
}
