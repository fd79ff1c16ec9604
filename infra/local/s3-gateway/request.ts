/** An S3 request taken apart: path-style only, `/bucket/key?query`. */
import { S3Error } from './errors.ts';

export interface S3Request {
  readonly method: string;
  /** As received, percent-encoded; the signature is over it. */
  readonly rawPath: string;
  /** Decoded, in the order received. */
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: Headers;
  readonly bucket: string | undefined;
  readonly key: string | undefined;
}

/** Bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;
const encoder = new TextEncoder();

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new S3Error('InvalidURI', undefined, cause);
  }
}

function parseQuery(text: string): (readonly [string, string])[] {
  return text
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=');
      const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
      return [decode(name.replaceAll('+', ' ')), decode(value.replaceAll('+', ' '))] as const;
    });
}

/**
 * The URL is taken apart as text: the signature is over its own spelling. workerd has already resolved `.` and `..`
 * segments, though, so a key with such a segment fails the signature and is never stored under another name.
 */
export function parseRequest(request: { method: string; url: string; headers: Headers }): S3Request {
  const afterOrigin = request.url.replace(/^[a-z]+:\/\/[^/?#]*/i, '');
  const [target = ''] = afterOrigin.split('#', 1);
  const mark = target.indexOf('?');
  const rawPath = (mark < 0 ? target : target.slice(0, mark)) || '/';
  const slash = rawPath.indexOf('/', 1);
  const bucket = decode(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash));
  const key = slash < 0 ? '' : decode(rawPath.slice(slash + 1));
  if (encoder.encode(key).length > MAX_KEY_BYTES) throw new S3Error('KeyTooLongError');
  return {
    method: request.method,
    rawPath,
    query: mark < 0 ? [] : parseQuery(target.slice(mark + 1)),
    headers: request.headers,
    bucket: bucket === '' ? undefined : bucket,
    key: key === '' ? undefined : key,
  };
}

/** The first value of a query parameter. */
export const param = (request: S3Request, name: string) =>
  request.query.find(([candidate]) => candidate === name)?.[1];

/** A query parameter that is a whole number. @throws S3Error InvalidArgument outside the range (inclusive) */
export function intParam(
  request: S3Request,
  name: string,
  fallback: number,
  [low, high]: readonly [number, number],
): number {
  const text = param(request, name);
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < low || value > high) {
    throw new S3Error(
      'InvalidArgument',
      `${name} is ${text}: a whole number from ${low} to ${high} is allowed`,
    );
  }
  return value;
}
