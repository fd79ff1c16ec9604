import { Fault } from '../errors.ts';

/**
 * The bytes of a JSON request.
 * @throws Fault `unsupported_media_type` for another content type or encoding, `too_large` over the limit
 */
export async function readJsonBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  const { headers } = request;
  const type = headers.get('content-type') ?? '';
  if (type !== 'application/json' && !/^application\/json\s*(;|$)/i.test(type))
    throw new Fault(
      'unsupported_media_type',
      `content-type: must be application/json, not ${type || 'none'}`,
      {
        field: 'content-type',
      },
    );
  const encoding = headers.get('content-encoding');
  if (encoding !== null && encoding !== 'identity')
    throw new Fault('unsupported_media_type', `content-encoding: ${encoding} is not supported`, {
      field: 'content-encoding',
    });
  const declared = headers.get('content-length');
  if (declared === null || Number(declared) > limitBytes) return readBounded(request, limitBytes);
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length > limitBytes) throw tooLarge(limitBytes);
  return bytes;
}

const tooLarge = (limitBytes: number) =>
  new Fault('too_large', `body: at most ${limitBytes} bytes are allowed`, { field: 'body' });

/**
 * A body that is too large is read to this many times the limit, and thrown away: a server that answers while the
 * client still sends resets the connection, and the client may never see why.
 */
const DRAINED_LIMITS = 4;

async function readBounded(request: Request, limitBytes: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length <= limitBytes) chunks.push(value);
    if (length > limitBytes * DRAINED_LIMITS) {
      await reader.cancel();
      break;
    }
  }
  if (length > limitBytes) throw tooLarge(limitBytes);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
