/** From a message's text to what it says, and what that is about. */
import { JobSpec } from '../../core/contracts/job.ts';
import { type CreatedObject, createdObjects } from '../../core/contracts/notification.ts';
import { parse } from '../../core/contracts/parse.ts';
import { type QueueMessage, QueueMessage as Message } from '../../core/contracts/task.ts';
import { Fault } from '../../core/errors.ts';
import { jobIdFrom } from '../../core/jobs/id.ts';
import type { Subject } from './context.ts';

export type Read =
  | { readonly kind: 'message'; readonly message: QueueMessage }
  | { readonly kind: 'dropped'; readonly objects: readonly CreatedObject[] }
  | { readonly kind: 'unreadable'; readonly thrown: unknown };

/** What is no message of ours is redelivered, then kept in the dead-letter queue. */
export function readBody(body: string): Read {
  try {
    const value = parseBody(body);
    const objects = createdObjects(value);
    return objects === undefined
      ? { kind: 'message', message: parseMessage(value) }
      : { kind: 'dropped', objects };
  } catch (thrown) {
    return { kind: 'unreadable', thrown };
  }
}

export async function subjectOf(message: QueueMessage, messageId: string): Promise<Subject> {
  if (!('job' in message)) return { kind: message.kind, jobId: await jobIdFrom(messageId) };
  return {
    kind: message.kind,
    jobId: message.job,
    ...('round' in message ? { round: message.round } : {}),
    ...('shard' in message ? { shard: message.shard } : {}),
    ...('slice' in message && message.slice !== undefined ? { slice: message.slice } : {}),
    ...('part' in message && message.part !== undefined ? { part: message.part } : {}),
  };
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new Fault('invalid', 'message body is not JSON', { cause });
  }
}

const JOB_KINDS: ReadonlySet<unknown> = new Set(JobSpec.options.map(({ shape }) => shape.kind.value));

/** @throws Fault `invalid` */
function parseMessage(value: unknown): QueueMessage {
  // A union's error says little; a spec's own schema names the field.
  const isSpec = typeof value === 'object' && value !== null && 'kind' in value && JOB_KINDS.has(value.kind);
  return isSpec ? parse(JobSpec, value) : parse(Message, value);
}
