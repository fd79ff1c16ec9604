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
import type { StoredObject } from '../../core/storage/object-store.ts';
import type { BatchContext } from './context.ts';

/** Bytes: what an SQS message may hold, so that a job may be started either way. */
const MAX_SPEC_BYTES = 1024 * 1024;

/** The notification is filtered where it is made; nothing else must be taken for a spec. */
export const isDropped = ({ key }: CreatedObject): boolean =>
  key.startsWith(INBOX_PREFIX) && key.endsWith(INBOX_SUFFIX);

/** The job that it starts. */
export const droppedJob = ({ key, sequencer }: CreatedObject): Promise<string> =>
  jobIdFrom(`${key}#${sequencer}`);

/** Metadata of the object that puts its job into a trace, `x-amz-meta-traceparent` over HTTP. */
export async function droppedTrace(
  { store }: Pick<BatchContext, 'store'>,
  { key }: CreatedObject,
): Promise<string | undefined> {
  return (await store.head(key))?.metadata?.['traceparent'];
}

/**
 * @param traceparent of whoever put it there
 * @returns why it starts no job, as the outbox says too; undefined: it does, or is gone
 */
export async function acceptDropped(
  context: BatchContext,
  dropped: CreatedObject,
  traceparent?: string,
): Promise<Fault | undefined> {
  const { key, sequencer } = dropped;
  const object = await context.store.get(key);
  if (object === undefined) return undefined;
  const outbox = (answer: object) =>
    putJson(context.store, outboxKey(key, sequencer), { v: 1, ...answer }, 'create');
  const job = await droppedJob(dropped);
  try {
    await accept(context, object, { job, traceparent });
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.retryable) throw thrown;
    await outbox(errorBody(thrown).body);
    return thrown;
  }
  await outbox({ job });
  return undefined;
}

async function accept(
  { store, queue, now }: BatchContext,
  { key, size, body }: StoredObject,
  options: { readonly job: string; readonly traceparent: string | undefined },
): Promise<void> {
  if (size > MAX_SPEC_BYTES)
    throw new Fault('too_large', `${key}: ${size} bytes; at most ${MAX_SPEC_BYTES} are allowed`);
  await acceptJob(store, queue, parseSpec(body), { ...options, now: now() });
}
function parseSpec(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch (cause) {
    throw new Fault('invalid', 'the object must be JSON in UTF-8', { cause });
  }
}
