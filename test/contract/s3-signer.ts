/** Signature Version 4 written a second time, with node:crypto: what the gateway verifies is not what signs here. */
import { createHash, createHmac } from 'node:crypto';

export interface SignOptions {
  readonly method: string;
  /** With the query, percent-encoded. */
  readonly url: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: signed as it is. */
  readonly payloadHash?: string;
  readonly body?: Uint8Array | string;
  readonly date?: Date;
}

const REGION = 'us-east-1';
const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');
const hmac = (key: Uint8Array | string, text: string) => createHmac('sha256', key).update(text).digest();
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const basicDate = (date: Date) => date.toISOString().replace(/[-:]|\.\d+/g, '');

function signature(
  options: SignOptions,
  url: URL,
  headers: Readonly<Record<string, string>>,
  payloadHash: string,
  amzDate: string,
): string {
  const names = Object.keys(headers).sort();
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const canonical = [
    options.method,
    url.pathname,
    query,
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    payloadHash,
  ].join('\n');
  const day = amzDate.slice(0, 8);
  const text = ['AWS4-HMAC-SHA256', amzDate, `${day}/${REGION}/s3/aws4_request`, sha256(canonical)].join(
    '\n',
  );
  const key = [day, REGION, 's3', 'aws4_request'].reduce<Uint8Array | string>(
    hmac,
    `AWS4${options.secretAccessKey}`,
  );
  return hmac(key, text).toString('hex');
}

/** A request signed in its Authorization header. */
export function signedFetch(options: SignOptions): Promise<Response> {
  const url = new URL(options.url);
  const { body } = options;
  const payloadHash = options.payloadHash ?? sha256(body ?? '');
  const amzDate = basicDate(options.date ?? new Date());
  const headers: Record<string, string> = {
    ...options.headers,
    host: url.host,
    'x-amz-date': amzDate,
    'x-amz-content-sha256': payloadHash,
  };
  const credential = `${options.accessKeyId}/${amzDate.slice(0, 8)}/${REGION}/s3/aws4_request`;
  const authorization = [
    `AWS4-HMAC-SHA256 Credential=${credential}`,
    `SignedHeaders=${Object.keys(headers).sort().join(';')}`,
    `Signature=${signature(options, url, headers, payloadHash, amzDate)}`,
  ].join(', ');
  return fetch(url, {
    method: options.method,
    headers: { ...headers, authorization },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  });
}

/** A presigned URL. @param expiresS seconds */
export function presign(options: SignOptions, expiresS: number): string {
  const url = new URL(options.url);
  const amzDate = basicDate(options.date ?? new Date());
  const headers = { ...options.headers, host: url.host };
  const added = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${options.accessKeyId}/${amzDate.slice(0, 8)}/${REGION}/s3/aws4_request`,
    'X-Amz-Date': amzDate,
    'X-Amz-Expires': String(expiresS),
    'X-Amz-SignedHeaders': Object.keys(headers).sort().join(';'),
  };
  for (const [name, value] of Object.entries(added)) url.searchParams.set(name, value);
  url.searchParams.set('X-Amz-Signature', signature(options, url, headers, 'UNSIGNED-PAYLOAD', amzDate));
  return url.href;
}
