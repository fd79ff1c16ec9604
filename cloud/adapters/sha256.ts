/**
 * SHA-256 by OpenSSL on the thread that asks. WebCrypto copies the bytes for a thread of its own, which for a shard of
 * some megabytes costs half of the hash again, and a function that has nothing else to do gains nothing by it.
 */
import { hash } from 'node:crypto';

/** Lower-case hex. */
export const sha256Native = (bytes: Uint8Array<ArrayBuffer>): string => hash('sha256', bytes, 'hex');
