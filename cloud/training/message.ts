/** From a message's text to what it says, and what that is about. */
import { JobSpec } from '../../core/contracts/job.ts';
import { type CreatedObject, createdObjects } from '../../core/contracts/notification.ts';
import { parse } from '../../core/contracts/parse.ts';
import { type QueueMessage, Task } from '../../core/contracts/task.ts';
import { Fault } from '../../core/errors.ts';
import { jobIdFrom } from '../../core/jobs/id.ts';
import type { Subject } from './context.ts';

export type Read =
  | { readonly kind: 'message'; readonly message: QueueMessage }
  | { readonly kind: 'dropped'; readonly objects: readonly CreatedObject[] }
  | { readonly kind: 'unreadable'; readonly thrown: unknown };

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

const kindsOf = ({ options }: typeof JobSpec | typeof Task): readonly string[] =>
  options.map(({ shape }) => shape.kind.value);
const JOB_KINDS = kindsOf(JobSpec);
const TASK_KINDS = kindsOf(Task);

/** A union's error says little; that of the one schema that is meant names the field. @throws Fault `invalid` */
function parseMessage(value: unknown): QueueMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Fault('invalid', 'a message must be a JSON object: a job spec or a task');
  const kind: unknown = 'kind' in value ? value.kind : undefined;
  if (JOB_KINDS.includes(kind as string)) return parse(JobSpec, value);
  if (TASK_KINDS.includes(kind as string)) return parse(Task, value);
  const allowed = `${JOB_KINDS.join(', ')} of a job spec, or ${TASK_KINDS.join(', ')} of a task`;
  throw new Fault('invalid', `kind: must be ${allowed}`, { field: 'kind' });
}
