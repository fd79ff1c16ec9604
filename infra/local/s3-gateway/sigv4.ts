/** Verifies Signature Version 4, in the Authorization header or in the query of a presigned URL. */
import { fromHex } from './bytes.ts';
import { canonicalRequest, stringToSign } from './canonical.ts';
import { type Claim, headerClaim, queryClaim } from './claim.ts';
import { S3Error, type S3ErrorCode } from './errors.ts';
import { param, type S3Request } from './request.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** AWS's own: 15 minutes either way. */
const MAX_SKEW_MS = 15 * 60 * 1000;

/** Milliseconds since 1970. */
function timeOf(amzDate: string): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(amzDate) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(time)) throw new S3Error('AccessDenied', 'AWS authentication requires a valid x-amz-date');
  return time;
}

function checkTime({ amzDate, scope, expiresS }: Claim, now: number): void {
  const signedAt = timeOf(amzDate);
  if (!scope.startsWith(amzDate.slice(0, 8))) {
    throw new S3Error('SignatureDoesNotMatch', 'the date of the credential differs from x-amz-date');
  }
  const tooEarly = signedAt - now > MAX_SKEW_MS;
  if (expiresS === undefined) {
    if (tooEarly || now - signedAt > MAX_SKEW_MS) throw new S3Error('RequestTimeTooSkewed');
  } else if (tooEarly) {
    throw new S3Error('AccessDenied', 'Request is not yet valid');
  } else if (now > signedAt + expiresS * 1000) {
    throw new S3Error('AccessDenied', 'Request has expired');
  }
}

/** An attacker must not be able to add a header that changes the meaning: `host` and all of `x-amz-*` are signed. */
function checkSignedHeaders({ signedHeaders, expiresS }: Claim, headers: Headers): void {
  if (!signedHeaders.includes('host')) throw new S3Error('AccessDenied', 'The host header must be signed');
  for (const name of headers.keys()) {
    // Clients add the hash of the payload to a presigned URL without signing it; the payload is then unsigned.
    const free = expiresS !== undefined && name === 'x-amz-content-sha256';
    if (name.startsWith('x-amz-') && !free && !signedHeaders.includes(name)) {
      throw new S3Error(
        'AccessDenied',
        `There were headers present in the request which were not signed: ${name}`,
      );
    }
  }
}

const encoder = new TextEncoder();

type Bytes = Uint8Array<ArrayBuffer>;
type SigningKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

async function hmac(key: Bytes, text: string): Promise<Bytes> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', key, algorithm, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, encoder.encode(text)));
}

/** Derived keys of a warm gateway, by secret and scope: one a day and region. */
const SIGNING_KEYS = new Map<string, Promise<SigningKey>>();
const MAX_SIGNING_KEYS = 16;

async function deriveKey(secret: string, scope: string): Promise<SigningKey> {
  let key: Bytes = new Uint8Array(encoder.encode(`AWS4${secret}`));
  for (const part of scope.split('/')) key = await hmac(key, part);
  return crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

function signingKey(secret: string, scope: string): Promise<SigningKey> {
  const name = `${secret}/${scope}`;
  const known = SIGNING_KEYS.get(name);
  if (known !== undefined) return known;
  if (SIGNING_KEYS.size >= MAX_SIGNING_KEYS) SIGNING_KEYS.clear();
  const key = deriveKey(secret, scope);
  SIGNING_KEYS.set(name, key);
  return key;
}

const refuse = (code: S3ErrorCode) => {
  throw new S3Error(code);
};

/**
 * @param now milliseconds since 1970
 * @returns the payload hash that was signed: hex, or one of AWS's words for an unsigned or streamed payload
 * @throws S3Error as S3 answers
 */
export async function verifySignature(
  request: S3Request,
  credentials: Credentials,
  now: number,
): Promise<string> {
  const authorization = request.headers.get('authorization');
  const presigned = param(request, 'X-Amz-Signature') !== undefined;
  if (authorization === null && !presigned) throw new S3Error('AccessDenied');
  if (authorization !== null && presigned) {
    throw new S3Error(
      'InvalidArgument',
      'Only one auth mechanism allowed: the query or the Authorization header',
    );
  }
  const claim = authorization === null ? queryClaim(request) : headerClaim(request, authorization);
  if (claim.accessKeyId !== credentials.accessKeyId) refuse('InvalidAccessKeyId');
  checkTime(claim, now);
  checkSignedHeaders(claim, request.headers);
  const canonical = canonicalRequest(request, claim.signedHeaders, claim.payloadHash);
  const text = await stringToSign(canonical, claim.amzDate, claim.scope);
  const key = await signingKey(credentials.secretAccessKey, claim.scope);
  const signature = fromHex(claim.signature);
  // Compares in constant time.
  const matches =
    signature !== undefined && (await crypto.subtle.verify('HMAC', key, signature, encoder.encode(text)));
  if (!matches) refuse('SignatureDoesNotMatch');
  return claim.payloadHash;
}
