/** Headers ↔ what R2 keeps with an object. */
import { CHECKSUM_HEADERS, type Checksum } from './checksums.ts';
import { S3Error } from './errors.ts';

const PREFIX = 'x-amz-meta-';

export function httpMetadata(headers: Headers): R2HTTPMetadata {
  const kept: R2HTTPMetadata = {};
  const text = (name: string) => headers.get(name) ?? undefined;
  const contentType = text('content-type');
  const contentLanguage = text('content-language');
  const contentDisposition = text('content-disposition');
  const cacheControl = text('cache-control');
  // aws-chunked is the transport's, not the object's.
  const contentEncoding = (text('content-encoding') ?? '')
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'aws-chunked')
    .join(',');
  const expires = Date.parse(text('expires') ?? '');
  if (contentType !== undefined) kept.contentType = contentType;
  if (contentLanguage !== undefined) kept.contentLanguage = contentLanguage;
  if (contentDisposition !== undefined) kept.contentDisposition = contentDisposition;
  if (cacheControl !== undefined) kept.cacheControl = cacheControl;
  if (contentEncoding !== '') kept.contentEncoding = contentEncoding;
  if (!Number.isNaN(expires)) kept.cacheExpiry = new Date(expires);
  return kept;
}

const isChecksum = (name: string) => CHECKSUM_HEADERS.some((header) => header === name);

/** `x-amz-meta-*`, and the checksum under its own header's name: metadata of that name is refused. */
export function customMetadata(headers: Headers, checksum: Checksum | undefined): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [header, value] of headers) {
    if (!header.startsWith(PREFIX)) continue;
    const name = header.slice(PREFIX.length);
    if (isChecksum(name)) throw new S3Error('InvalidArgument', `${header}: this metadata name is reserved`);
    kept[name] = value;
  }
  return checksum === undefined ? kept : { ...kept, [checksum.header]: checksum.value };
}

/** What GET and HEAD say of an object. @param checksums whether the client asked for them */
export function objectHeaders(object: R2Object, checksums: boolean): Headers {
  const headers = new Headers({
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: object.httpEtag,
    'last-modified': object.uploaded.toUTCString(),
  });
  object.writeHttpMetadata(headers);
  for (const [name, value] of Object.entries(object.customMetadata ?? {})) {
    if (!isChecksum(name)) headers.set(PREFIX + name, value);
    else if (checksums) headers.set(name, value);
  }
  return headers;
}

/** `response-content-type=…` and its like in the query override what is kept. */
export const RESPONSE_OVERRIDES: Readonly<Record<string, string>> = {
  'response-cache-control': 'cache-control',
  'response-content-disposition': 'content-disposition',
  'response-content-encoding': 'content-encoding',
  'response-content-language': 'content-language',
  'response-content-type': 'content-type',
  'response-expires': 'expires',
};
