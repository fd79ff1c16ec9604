/** The checksums a client may send with a body, each verified before anything is stored. */
import { crc32, crc32c } from '../../../core/checksums/crc.ts';
import { base64, fromBase64, fromHex, sameBytes } from './bytes.ts';
import { S3Error } from './errors.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** Big-endian, as S3 wants it in base64. */
export function crcBytes(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

const digest = (algorithm: string) => async (bytes: Bytes) =>
  new Uint8Array(await crypto.subtle.digest(algorithm, bytes));

/** Headers `x-amz-checksum-…` (or trailers of that name), and how each is computed; the value is in base64. */
export const CHECKSUMS = {
  'x-amz-checksum-crc32': async (bytes: Bytes) => crcBytes(crc32(bytes)),
  'x-amz-checksum-crc32c': async (bytes: Bytes) => crcBytes(crc32c(bytes)),
  'x-amz-checksum-sha1': digest('SHA-1'),
  'x-amz-checksum-sha256': digest('SHA-256'),
} as const;
export type ChecksumHeader = keyof typeof CHECKSUMS;
export const CHECKSUM_HEADERS = Object.keys(CHECKSUMS) as ChecksumHeader[];

export interface Checksum {
  readonly header: ChecksumHeader;
  readonly value: string;
}

/** The headers of the family that carry no checksum. */
const ABOUT = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-mode', 'x-amz-checksum-type']);

/** @returns the one checksum there is. @throws S3Error InvalidRequest for two, or one of an unknown algorithm */
export function statedChecksum(headers: Headers): Checksum | undefined {
  const stated = [...headers].filter(([name]) => name.startsWith('x-amz-checksum-') && !ABOUT.has(name));
  const [first] = stated;
  if (first === undefined) return undefined;
  if (stated.length > 1) {
    throw new S3Error(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  }
  const [name, value] = first;
  const header = CHECKSUM_HEADERS.find((known) => known === name);
  if (header === undefined) {
    throw new S3Error('NotImplemented', `${name} is not implemented; ${CHECKSUM_HEADERS.join(', ')} are`);
  }
  return { header, value };
}

async function verify(bytes: Bytes, { header, value }: Checksum): Promise<void> {
  const stated = fromBase64(value);
  const actual = await CHECKSUMS[header](bytes);
  if (stated?.length !== actual.length)
    throw new S3Error('InvalidRequest', `Value for ${header} header is invalid.`);
  if (!sameBytes(stated, actual)) {
    throw new S3Error(
      'BadDigest',
      `The ${header.slice(15).toUpperCase()} you specified did not match the calculated checksum.`,
    );
  }
}

async function verifyMd5(bytes: Bytes, value: string): Promise<void> {
  const stated = fromBase64(value);
  if (stated?.length !== 16) throw new S3Error('InvalidDigest');
  if (!sameBytes(stated, await digest('MD5')(bytes))) {
    throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
}

/** @param payloadHash the signed SHA-256 in hex */
async function verifyPayload(bytes: Bytes, payloadHash: string): Promise<string> {
  const stated = fromHex(payloadHash);
  if (stated?.length !== 32) {
    throw new S3Error(
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a valid sha256 value.',
    );
  }
  const actual = await digest('SHA-256')(bytes);
  if (!sameBytes(stated, actual)) throw new S3Error('XAmzContentSHA256Mismatch');
  return base64(actual);
}

/**
 * Each body is hashed once per algorithm: where the signed payload hash is the stated checksum too, once for both.
 * @param payloadHash the signed SHA-256 in hex; undefined where the payload is not signed
 */
export async function verifyChecksums(
  bytes: Bytes,
  headers: Headers,
  checksum: Checksum | undefined,
  payloadHash: string | undefined,
): Promise<void> {
  const sha256 = payloadHash === undefined ? undefined : await verifyPayload(bytes, payloadHash);
  if (checksum !== undefined && !(checksum.header === 'x-amz-checksum-sha256' && checksum.value === sha256)) {
    await verify(bytes, checksum);
  }
  const md5 = headers.get('content-md5');
  if (md5 !== null) await verifyMd5(bytes, md5);
}
