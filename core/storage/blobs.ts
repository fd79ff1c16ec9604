/** Content-addressed blobs: the key is the SHA-256 of the bytes, so a put is idempotent and a get verifies itself. */
import { blobKey } from '../contracts/keys.ts';
import { Fault } from '../errors.ts';
import type { ByteRange, ObjectStore } from './object-store.ts';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Lower-case hex SHA-256 (FIPS 180-4), by WebCrypto: the same code in workerd and Node. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return Array.from(new Uint8Array(digest), (byte) => HEX[byte]).join('');
}

/** @returns the SHA-256 under which the bytes are now stored. */
export async function putBlob(store: ObjectStore, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const sha256 = await sha256Hex(bytes);
  await store.put(blobKey(sha256), bytes, { condition: 'create', contentType: 'application/octet-stream' });
  return sha256;
}

/** @throws Fault `not_found` where there is none, `internal` where the bytes are not what their name says. */
export async function getBlob(store: ObjectStore, sha256: string): Promise<Uint8Array<ArrayBuffer>> {
  const object = await store.get(blobKey(sha256));
  if (object === undefined) throw new Fault('not_found', `no blob ${sha256}`);
  const actual = await sha256Hex(object.body);
  if (actual !== sha256)
    throw new Fault('internal', `blob ${sha256} is corrupt: its bytes hash to ${actual}`);
  return object.body;
}

/** Bytes of a blob, and the SHA-256 of these alone: whoever had the whole and verified it made it. */
export interface HashedRange extends ByteRange {
  readonly sha256: string;
}

/** @throws Fault as {@link getBlob}, `internal` also where the blob is shorter */
export async function getBlobRange(
  store: ObjectStore,
  blob: string,
  { start, end, sha256 }: HashedRange,
): Promise<Uint8Array<ArrayBuffer>> {
  const object = await store.get(blobKey(blob), { range: { start, end } });
  if (object === undefined) throw new Fault('not_found', `no blob ${blob}`);
  const actual = await sha256Hex(object.body);
  if (actual !== sha256)
    throw new Fault(
      'internal',
      `blob ${blob} is corrupt: its bytes from ${start} to ${end} hash to ${actual}, not to ${sha256}`,
    );
  return object.body;
}
