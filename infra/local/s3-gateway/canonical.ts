/**
 * The canonical request and the string to sign of Signature Version 4, as S3 defines them: the path is encoded once
 * and never normalised. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { hex } from './bytes.ts';
import type { S3Request } from './request.ts';

const encoder = new TextEncoder();

/** RFC 3986 unreserved characters stay; encodeURIComponent leaves five more alone. */
export function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Decoding first makes it the same for clients that encode more or less than they must. */
const canonicalPath = (rawPath: string) =>
  rawPath
    .split('/')
    .map((segment) => uriEncode(decodeURIComponent(segment)))
    .join('/');

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

const canonicalQuery = (query: S3Request['query']) =>
  query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [uriEncode(name), uriEncode(value)] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');

const canonicalHeader = (headers: Headers, name: string) =>
  `${name}:${(headers.get(name) ?? '').trim().replace(/ {2,}/g, ' ')}\n`;

/** @param signedHeaders lower-case, in ascending order */
export function canonicalRequest(
  request: S3Request,
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  return [
    request.method,
    canonicalPath(request.rawPath),
    canonicalQuery(request.query),
    signedHeaders.map((name) => canonicalHeader(request.headers, name)).join(''),
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}

/** @param scope `20260101/us-east-1/s3/aws4_request` */
export async function stringToSign(canonical: string, amzDate: string, scope: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', encoder.encode(canonical));
  return ['AWS4-HMAC-SHA256', amzDate, scope, hex(new Uint8Array(digest))].join('\n');
}
