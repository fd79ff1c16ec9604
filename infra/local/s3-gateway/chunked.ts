/**
 * Decodes `Content-Encoding: aws-chunked`: `<hex length>\r\n<bytes>\r\n` … `0\r\n<trailer>\r\n\r\n`.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */
import { S3Error } from './errors.ts';

export interface Decoded {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly trailers: Headers;
}

const CR = 13;
const LF = 10;
const decoder = new TextDecoder();

/** Index of the CR of the next CRLF. */
function lineEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(CR, from); at >= 0; at = bytes.indexOf(CR, at + 1)) {
    if (bytes[at + 1] === LF) return at;
  }
  throw new S3Error('IncompleteBody', 'The request body terminated unexpectedly');
}

function parseTrailers(text: string): Headers {
  const trailers = new Headers();
  for (const line of text.split('\r\n').filter((candidate) => candidate !== '')) {
    const at = line.indexOf(':');
    if (at < 1) throw new S3Error('MalformedTrailerError');
    trailers.append(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return trailers;
}

/**
 * @param body is written over: what it decodes to takes its place, so that a large one is not in memory twice
 * @param length of the decoded body, as `x-amz-decoded-content-length` states it
 */
export function decodeChunked(body: Uint8Array<ArrayBuffer>, length: number): Decoded {
  let written = 0;
  let at = 0;
  for (;;) {
    const end = lineEnd(body, at);
    const [size = ''] = decoder.decode(body.subarray(at, end)).split(';');
    if (!/^[0-9a-f]{1,8}$/i.test(size)) throw new S3Error('IncompleteBody', 'A chunk has no valid length');
    const count = Number.parseInt(size, 16);
    const start = end + 2;
    if (count === 0) {
      if (written !== length)
        throw new S3Error('IncompleteBody', `The body has ${written} bytes of ${length}`);
      return {
        bytes: body.subarray(0, length),
        trailers: parseTrailers(decoder.decode(body.subarray(start))),
      };
    }
    if (
      written + count > length ||
      start + count + 2 > body.length ||
      lineEnd(body, start + count) !== start + count
    ) {
      throw new S3Error('IncompleteBody', 'A chunk is not as long as it states');
    }
    body.copyWithin(written, start, start + count);
    written += count;
    at = start + count + 2;
  }
}
