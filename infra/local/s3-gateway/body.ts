/** Reads a request's body and verifies all that the client said about it. */
import { declaredLength, readAtMost } from '../../../core/bounded-stream.ts';
import { type Checksum, statedChecksum, verifyChecksums } from './checksums.ts';
import { decodeChunked } from './chunked.ts';
import { S3Error } from './errors.ts';

/**
 * Bytes. A body is held in memory to be verified before it is stored: larger objects come in parts. Once, but for one
 * that comes without its length, which is held twice while its pieces are put together.
 */
export const MAX_BODY_BYTES = 512 * 1024 * 1024;

const UNSIGNED = 'UNSIGNED-PAYLOAD';
const STREAMED = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

export interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As stated, and found true. */
  readonly checksum: Checksum | undefined;
}

function lengthHeader(headers: Headers, name: string): number | undefined {
  const text = headers.get(name);
  if (text === null) return undefined;
  const length = Number(text);
  if (!/^\d+$/.test(text))
    throw new S3Error('InvalidArgument', `${name} is ${text}: a whole number is allowed`);
  if (length > MAX_BODY_BYTES) throw tooLarge();
  return length;
}

const tooLarge = () =>
  new S3Error(
    'EntityTooLarge',
    `Your proposed upload exceeds ${MAX_BODY_BYTES} bytes; use a multipart upload`,
  );

/** What it declares is as much as comes only where HTTP frames the body by that. */
async function bytesOf(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const length = lengthHeader(request.headers, 'content-length');
  if (declaredLength(request.headers) === undefined) {
    const read = await readAtMost(request.body, MAX_BODY_BYTES, 2 * MAX_BODY_BYTES);
    if (read === undefined) throw tooLarge();
    return read;
  }
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length !== length) throw new S3Error('IncompleteBody');
  return bytes;
}

/** The trailer that was announced must come: a checksum that is left out would verify nothing. */
function trailingChecksum(headers: Headers, trailers: Headers): Checksum | undefined {
  const announced = headers.get('x-amz-trailer')?.trim().toLowerCase();
  if (announced !== undefined && !trailers.has(announced)) {
    throw new S3Error('MalformedTrailerError', `The trailer ${announced} was announced and is missing`);
  }
  return statedChecksum(trailers);
}

/** @param payloadHash what verifySignature returned */
export async function readBody(request: Request, payloadHash: string): Promise<Body> {
  const { headers } = request;
  const raw = await bytesOf(request);
  if (payloadHash === STREAMED) {
    const decodedLength = lengthHeader(headers, 'x-amz-decoded-content-length');
    if (decodedLength === undefined) {
      throw new S3Error('InvalidRequest', 'Missing required header: x-amz-decoded-content-length');
    }
    const { bytes, trailers } = decodeChunked(raw, decodedLength);
    const checksum = statedChecksum(headers) ?? trailingChecksum(headers, trailers);
    await verifyChecksums(bytes, headers, checksum, undefined);
    return { bytes, checksum };
  }
  if (payloadHash.startsWith('STREAMING-')) {
    throw new S3Error('NotImplemented', `${payloadHash} is not implemented; ${STREAMED} and ${UNSIGNED} are`);
  }
  const checksum = statedChecksum(headers);
  await verifyChecksums(raw, headers, checksum, payloadHash === UNSIGNED ? undefined : payloadHash);
  return { bytes: raw, checksum };
}
