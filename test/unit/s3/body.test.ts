/** How much of a body is read, whatever its headers say of it. */
import { describe, expect, it } from 'vitest';
import { drain, readAtMost } from '../../../core/bounded-stream.ts';
import { MAX_BODY_BYTES, readBody } from '../../../infra/local/s3-gateway/body.ts';

const MIB = 1024 * 1024;

/** The same piece again and again. */
function repeated(piece: Uint8Array, times: number) {
  const seen = { pieces: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (seen.pieces === times) return controller.close();
      seen.pieces += 1;
      controller.enqueue(piece);
    },
    cancel: () => void (seen.cancelled = true),
  });
  return { seen, stream };
}

const put = (body: ReadableStream | string, headers: Record<string, string> = {}) =>
  new Request('http://127.0.0.1/b/k', { method: 'PUT', body, headers, duplex: 'half' });

describe('a body of the gateway', () => {
  it.each([
    ['that says nothing of its length', {}],
    ['in chunks that says it is short', { 'content-length': '5', 'transfer-encoding': 'chunked' }],
  ])('%s is refused over the limit all the same', async (_, headers) => {
    const { stream } = repeated(new Uint8Array(8 * MIB), MAX_BODY_BYTES / (8 * MIB) + 1);
    await expect(readBody(put(stream, headers), 'UNSIGNED-PAYLOAD')).rejects.toMatchObject({
      code: 'EntityTooLarge',
    });
  });

  it('is put together from its pieces', async () => {
    const { stream } = repeated(new TextEncoder().encode('hello'), 3);
    const { bytes } = await readBody(put(stream), 'UNSIGNED-PAYLOAD');
    expect(new TextDecoder().decode(bytes)).toBe('hellohellohello');
  });

  it('must be as long as it says', async () => {
    const body = readBody(put('hello', { 'content-length': '6' }), 'UNSIGNED-PAYLOAD');
    await expect(body).rejects.toMatchObject({ code: 'IncompleteBody' });
  });

  it('in aws-chunked is decoded where it is', async () => {
    const request = put('5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n', { 'x-amz-decoded-content-length': '11' });
    const { bytes } = await readBody(request, 'STREAMING-UNSIGNED-PAYLOAD-TRAILER');
    expect(new TextDecoder().decode(bytes)).toBe('hello world');
    expect(bytes.buffer.byteLength).toBeGreaterThan(bytes.length);
  });
});

describe('a stream', () => {
  const piece = new Uint8Array(10);

  it.each([
    [0, 0],
    [3, 30],
    [4, undefined],
  ])('of %i times ten bytes within thirty', async (times, length) => {
    const { seen, stream } = repeated(piece, times);
    expect((await readAtMost(stream, 30, 100))?.length).toBe(length);
    expect(seen).toEqual({ pieces: times, cancelled: false });
  });

  it('is drained to its end, or to the limit', async () => {
    const short = repeated(piece, 4);
    await drain(short.stream, 1_000);
    expect(short.seen).toEqual({ pieces: 4, cancelled: false });
    const endless = repeated(piece, Infinity);
    await drain(endless.stream, 1_000);
    expect(endless.seen.cancelled).toBe(true);
    expect(endless.seen.pieces).toBeLessThan(105);
    await drain(null, 1_000);
  });
});
