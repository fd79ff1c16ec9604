/** Bodies within a limit, whatever their headers say. */

type Stream = NonNullable<Request['body']>;

/**
 * Bytes that the body has at most, undefined where only reading tells. One that comes in chunks may have a
 * content-length beside it, which then means nothing (RFC 9112, section 6.3).
 */
export function declaredLength(headers: Headers): number | undefined {
  const length = headers.get('content-length');
  return length === null || headers.has('transfer-encoding') ? undefined : Number(length);
}

/**
 * @param drainedBytes what is over the limit is thrown away, and after so many bytes in all not read any more: a server
 *   that answers while the client still sends resets the connection, and the client may never see why
 * @returns undefined for more than the limit
 */
export async function readAtMost(
  stream: Stream | null,
  limitBytes: number,
  drainedBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (stream === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = (await reader.read()) as { readonly done: boolean; readonly value?: Uint8Array };
    if (done || value === undefined) break;
    length += value.length;
    if (length <= limitBytes) chunks.push(value);
    else chunks.length = 0;
    if (length > drainedBytes) {
      await reader.cancel();
      break;
    }
  }
  if (length > limitBytes) return undefined;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Reads and throws away so many bytes, and then no more. */
export async function drain(stream: Stream | null, drainedBytes: number): Promise<void> {
  await readAtMost(stream, 0, drainedBytes);
}
