/**
 * A job spec dropped into the bucket starts a job, and the outbox says which, or why not. The object and its sequencer
 * name the job: a notification delivered twice is one job, the same file put again is another.
 */
import { INBOX_PREFIX, INBOX_SUFFIX, outboxKey } from '../../core/contracts/keys.ts';
import type { CreatedObject } from '../../core/contracts/notification.ts';
import { errorBody, Fault } from '../../core/errors.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { jobIdFrom } from '../../core/jobs/id.ts';
import { putJson } from '../../core/storage/json.ts';
import type { BatchContext } from './context.ts';

/** Bytes: what an SQS message may hold, so that a job may be started either way. */
const MAX_SPEC_BYTES = 1024 * 1024;

export async function acceptDropped(context: BatchContext, { key, sequencer }: CreatedObject): Promise<void> {
  // The notification is filtered where it is made; nothing else must be taken for a spec.
  if (!key.startsWith(INBOX_PREFIX) || !key.endsWith(INBOX_SUFFIX)) return;
  const answer = await accept(context, key, sequencer);
  if (answer !== undefined)
    await putJson(context.store, outboxKey(key, sequencer), { v: 1, ...answer }, 'create');
}

/** @returns what the outbox says; undefined where the object is gone */
async function accept(
  { store, queue, now }: BatchContext,
  key: string,
  sequencer: string,
): Promise<object | undefined> {
  const object = await store.get(key);
  if (object === undefined) return undefined;
  try {
    if (object.size > MAX_SPEC_BYTES)
      throw new Fault('too_large', `${key}: ${object.size} bytes; at most ${MAX_SPEC_BYTES} are allowed`);
    const job = await jobIdFrom(`${key}#${sequencer}`);
    await acceptJob(store, queue, parseSpec(object.body), { job, now: now() });
    return { job };
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.retryable) throw thrown;
    return errorBody(thrown).body;
  }
}

function parseSpec(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch (cause) {
    throw new Fault('invalid', 'the object must be JSON in UTF-8', { cause });
  }
}
