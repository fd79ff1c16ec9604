/** ListMultipartUploads and ListParts, from the gateway's own record. */
import type { BucketCall, ObjectCall } from './calls.ts';
import { MAX_PARTS, uploadIdOf } from './multipart.ts';
import { intParam, param } from './request.ts';
import { uploadRecords } from './uploads.ts';
import { document, element, S3_NAMESPACE, xmlResponse } from './xml.ts';

const MAX_PAGE = 1_000;
const PAGE = [1, 2 ** 31 - 1] as const;

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

export async function listMultipartUploads({ request, environment, bucket }: BucketCall): Promise<Response> {
  const limit = Math.min(intParam(request, 'max-uploads', MAX_PAGE, PAGE), MAX_PAGE);
  const prefix = param(request, 'prefix') ?? '';
  const keyMarker = param(request, 'key-marker') ?? '';
  const idMarker = param(request, 'upload-id-marker') ?? '';
  const uploads = (await uploadRecords(environment.OTHERS, bucket).list())
    .filter(({ key }) => key.startsWith(prefix))
    .sort((a, b) => compare(a.key, b.key) || compare(a.uploadId, b.uploadId))
    .filter(
      ({ key, uploadId }) => key > keyMarker || (key === keyMarker && idMarker !== '' && uploadId > idMarker),
    );
  const page = uploads.slice(0, limit);
  const last = uploads.length > page.length ? page.at(-1) : undefined;
  return xmlResponse(
    document(
      element(
        'ListMultipartUploadsResult',
        [
          element('Bucket', bucket.name),
          element('KeyMarker', keyMarker),
          element('UploadIdMarker', idMarker),
          last && element('NextKeyMarker', last.key),
          last && element('NextUploadIdMarker', last.uploadId),
          element('Prefix', prefix),
          element('MaxUploads', limit),
          element('IsTruncated', last !== undefined),
          ...page.map(({ key, uploadId, initiated }) =>
            element('Upload', [
              element('Key', key),
              element('UploadId', uploadId),
              element('StorageClass', 'STANDARD'),
              element('Initiated', initiated),
            ]),
          ),
        ],
        S3_NAMESPACE,
      ),
    ),
  );
}

export async function listParts(call: ObjectCall): Promise<Response> {
  const { request, environment, bucket, key } = call;
  const uploadId = uploadIdOf(call);
  const limit = Math.min(intParam(request, 'max-parts', MAX_PAGE, PAGE), MAX_PAGE);
  const marker = intParam(request, 'part-number-marker', 0, [0, MAX_PARTS]);
  const records = uploadRecords(environment.OTHERS, bucket);
  await records.find(key, uploadId);
  const parts = (await records.parts(uploadId)).filter(({ number }) => number > marker);
  const page = parts.slice(0, limit);
  const last = parts.length > page.length ? page.at(-1) : undefined;
  return xmlResponse(
    document(
      element(
        'ListPartsResult',
        [
          element('Bucket', bucket.name),
          element('Key', key),
          element('UploadId', uploadId),
          element('PartNumberMarker', marker),
          last && element('NextPartNumberMarker', last.number),
          element('MaxParts', limit),
          element('IsTruncated', last !== undefined),
          element('StorageClass', 'STANDARD'),
          ...page.map(({ number, etag, size, modified }) =>
            element('Part', [
              element('PartNumber', number),
              element('LastModified', modified.toISOString()),
              element('ETag', `"${etag}"`),
              element('Size', size),
            ]),
          ),
        ],
        S3_NAMESPACE,
      ),
    ),
  );
}
