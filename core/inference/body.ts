import { declaredLength, readAtMost } from '../bounded-stream.ts';
import { Fault } from '../errors.ts';

/** A body that is too large is read to this many times the limit, and thrown away. */
const DRAINED_LIMITS = 4;

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
  const declared = declaredLength(headers);
  const bytes =
    declared === undefined || declared > limitBytes
      ? await readAtMost(request.body, limitBytes, limitBytes * DRAINED_LIMITS)
      : new Uint8Array(await request.arrayBuffer());
  if (bytes !== undefined && bytes.length <= limitBytes) return bytes;
  throw new Fault('too_large', `body: at most ${limitBytes} bytes are allowed`, { field: 'body' });
}
