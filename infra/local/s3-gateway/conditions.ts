/** Conditional requests: RFC 9110, section 13, as far as S3 supports it. */
import { S3Error } from './errors.ts';

export interface Validators {
  /** Without quotes. */
  readonly etag: string;
  readonly uploaded: Date;
}

export const unquote = (etag: string) => etag.trim().replace(/^(?:W\/)?"(.*)"$/, '$1');

const lists = (header: string, etag: string) =>
  header.split(',').some((candidate) => candidate.trim() === '*' || unquote(candidate) === etag);

/** Whole seconds: HTTP dates have no more. */
const seconds = (date: Date) => Math.floor(date.getTime() / 1000);

function httpDate(text: string | null): number | undefined {
  const time = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

/** Names of the four headers: S3 has them twice, for an object and for the source of a copy. */
const names = (prefix: string) =>
  ['if-match', 'if-none-match', 'if-unmodified-since', 'if-modified-since'].map((name) => prefix + name);

/**
 * Section 13.2.2: If-Match before If-Unmodified-Since, If-None-Match before If-Modified-Since.
 * @param prefix `x-amz-copy-source-` for the source of a copy
 */
export function evaluate(
  headers: Headers,
  object: Validators,
  prefix = '',
): 'ok' | 'not modified' | 'failed' {
  const [match, noneMatch, unmodified, modified] = names(prefix).map((name) => headers.get(name)) as [
    string | null,
    string | null,
    string | null,
    string | null,
  ];
  const unmodifiedSince = httpDate(unmodified);
  const modifiedSince = httpDate(modified);
  if (match !== null) {
    if (!lists(match, object.etag)) return 'failed';
  } else if (unmodifiedSince !== undefined && seconds(object.uploaded) > unmodifiedSince) return 'failed';
  if (noneMatch !== null) {
    if (lists(noneMatch, object.etag)) return 'not modified';
  } else if (modifiedSince !== undefined && seconds(object.uploaded) <= modifiedSince) return 'not modified';
  return 'ok';
}

/** The condition of a write, in R2's words; S3 knows `If-None-Match: *` and `If-Match` with one ETag. */
export function writeCondition(
  headers: Headers,
): { etagDoesNotMatch: string } | { etagMatches: string } | undefined {
  const match = headers.get('if-match');
  const noneMatch = headers.get('if-none-match');
  if (match !== null && noneMatch !== null) {
    throw new S3Error('InvalidRequest', 'If-Match and If-None-Match cannot be used together');
  }
  if (noneMatch !== null) {
    if (noneMatch.trim() !== '*')
      throw new S3Error('NotImplemented', 'If-None-Match of a write can only be *');
    return { etagDoesNotMatch: '*' };
  }
  return match === null ? undefined : { etagMatches: unquote(match) };
}
