import { sha256Hex } from '../storage/blobs.ts';

/** Hex digits of a job id: 64 bits, plenty for the jobs of one bucket. */
const DIGITS = 16;

/** The job id that belongs to an idempotency key (or a message id): the same key is the same job. */
export async function jobIdFrom(key: string): Promise<string> {
  const hash = await sha256Hex(Uint8Array.from(new TextEncoder().encode(key)));
  return `job_${hash.slice(0, DIGITS)}`;
}
