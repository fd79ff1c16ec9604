/** From a message's text to the task it asks for, and from what went wrong to what becomes of the job. */
import { JobSpec } from '../../core/contracts/job.ts';
import { type CreatedObject, createdObjects } from '../../core/contracts/notification.ts';
import { type QueueMessage, QueueMessage as Message } from '../../core/contracts/task.ts';
import { errorBody, Fault } from '../../core/errors.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { jobIdFrom } from '../../core/jobs/id.ts';
import { parse } from '../../core/contracts/parse.ts';
import { acceptDropped, droppedJob, droppedTrace, isDropped } from '../batch/inbox.ts';
import { runFanOutTask, splitJob } from '../batch/tasks.ts';
import type { Delivery, FleetContext, Subject } from './context.ts';
import { acceptedFanOut } from './documents.ts';
import { mergeRound } from './merge.ts';
import { mergeSlice } from './merge-pieces.ts';
import { planJob } from './plan.ts';
import { endJob } from './ending.ts';
import { loseShard } from './lost.ts';
import { metered } from './metering.ts';
import { type DeliveryFacts, type Handled, observed } from './observed.ts';
import { releaseJob } from './release.ts';
import { runShard } from './shard.ts';
import { watchRound } from './watch.ts';

export interface MessageDelivery extends Delivery, DeliveryFacts {
  /** True where the queue will not hand the message out again but move it to the dead-letter queue. */
  readonly lastChance: boolean;
}

/**
 * Returning acknowledges the message; throwing leaves it to be delivered again. A fault that trying again cannot mend
 * ends the job with its reason, and so does one that lasted until the message's last chance, unless it was the store's
 * or the queue's: then only the message is lost, and whoever looks after the job announces its work again.
 */
export async function dispatch(fleet: FleetContext, body: string, delivery: MessageDelivery): Promise<void> {
  const read = readBody(body);
  switch (read.kind) {
    case 'unreadable':
      return acknowledge(
        await observed(fleet, delivery, { kind: 'unreadable' }, async () => leave(read.thrown, delivery)),
      );
    case 'dropped':
      for (const object of read.objects) await acceptObject(fleet, object, delivery);
      return;
    case 'message': {
      const { message } = read;
      const subject = await subjectOf(message, delivery);
      const work = (context: FleetContext) => handle(metered(context), message, delivery);
      return acknowledge(await observed(fleet, delivery, subject, work));
    }
  }
}

/** @throws what the message is left in the queue for */
function acknowledge(handled: Handled): void {
  if (handled.outcome === 'retried' || handled.outcome === 'dead') throw handled.thrown;
}

const leave = (thrown: unknown, { lastChance }: MessageDelivery): Handled => ({
  outcome: lastChance ? 'dead' : 'retried',
  thrown,
});

async function handle(
  context: FleetContext,
  message: QueueMessage,
  delivery: MessageDelivery,
): Promise<Handled> {
  try {
    await run(context, message, delivery);
    return { outcome: 'done' };
  } catch (thrown) {
    return afterFailure(context, message, delivery, thrown).catch((again) => leave(again, delivery));
  }
}

async function afterFailure(
  context: FleetContext,
  message: QueueMessage,
  delivery: MessageDelivery,
  thrown: unknown,
): Promise<Handled> {
  const permanent = thrown instanceof Fault && !thrown.retryable;
  // A spec that came by message and cannot be accepted has no job to carry the reason: the dead-letter queue keeps it.
  if (!('job' in message)) return leave(thrown, delivery);
  // What fails at its last chance the queue sets aside by itself; what no retry mends need not wait for that.
  const buried = permanent && message.kind === 'shard' && context.deadLetters !== undefined;
  if (buried) await context.deadLetters?.bury(message, reasonOf(message, thrown));
  const transient = thrown instanceof Fault && thrown.transient;
  const isOver = permanent || (delivery.lastChance && !transient);
  const outcome = isOver ? await giveUp(context, message, thrown) : 'retried';
  return permanent ? { outcome, thrown, buried } : leave(thrown, delivery);
}

/** An object of the inbox. What is wrong with it the outbox says: it is acknowledged. */
async function acceptObject(
  fleet: FleetContext,
  object: CreatedObject,
  delivery: MessageDelivery,
): Promise<void> {
  if (!isDropped(object)) return;
  const traceparent = delivery.traceparent ?? (await droppedTrace(fleet, object).catch(() => undefined));
  const subject: Subject = { kind: 'inbox', jobId: await droppedJob(object) };
  const work = async (context: FleetContext): Promise<Handled> => {
    try {
      const refusal = await acceptDropped(context, object, context.traceparent);
      return refusal === undefined ? { outcome: 'done' } : { outcome: 'failed', thrown: refusal };
    } catch (thrown) {
      return leave(thrown, delivery);
    }
  };
  acknowledge(await observed(fleet, { ...delivery, traceparent }, subject, work));
}

function run(context: FleetContext, message: QueueMessage, delivery: MessageDelivery): Promise<unknown> {
  switch (message.kind) {
    case 'plan':
      return startJob(context, message.job);
    case 'shard':
      return runShard(context, message, delivery);
    case 'merge':
      return message.slice === undefined
        ? mergeRound(context, message, delivery)
        : mergeSlice(context, { ...message, slice: message.slice }, delivery);
    case 'watch':
      return watchRound(context, message, delivery);
    case 'release':
      return releaseJob(context, message.job);
    case 'execute':
    case 'gather':
    case 'recheck':
      return runFanOutTask(context, message, delivery);
    case 'train':
    case 'batch':
    case 'evaluate':
    case 'map':
      // The message's own id names the job, so a message delivered twice starts one job.
      return jobIdFrom(delivery.messageId).then((job) =>
        acceptJob(context.store, context.queue, message, {
          job,
          now: context.now(),
          traceparent: context.traceparent,
        }),
      );
  }
}

async function startJob(context: FleetContext, job: string): Promise<void> {
  const fanOut = await acceptedFanOut(context, job);
  await (fanOut === undefined ? planJob(context, job) : splitJob(context, fanOut));
}

type Read =
  | { readonly kind: 'message'; readonly message: QueueMessage }
  | { readonly kind: 'dropped'; readonly objects: readonly CreatedObject[] }
  | { readonly kind: 'unreadable'; readonly thrown: unknown };

/** What is no message of ours is redelivered, then kept in the dead-letter queue. */
function readBody(body: string): Read {
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

async function subjectOf(message: QueueMessage, { messageId }: MessageDelivery): Promise<Subject> {
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

type JobTask = Extract<QueueMessage, { job: string }>;

/** For people: which task, and what was wrong. */
function reasonOf(message: JobTask, thrown: unknown): string {
  const place =
    'shard' in message
      ? ` (round ${message.round}, shard ${message.shard})`
      : 'round' in message
        ? ` (round ${message.round})`
        : 'part' in message
          ? ` (part ${message.part})`
          : '';
  return `${message.kind}${place}: ${errorBody(thrown).body.error}`;
}

async function giveUp(context: FleetContext, message: JobTask, thrown: unknown): Promise<'lost' | 'failed'> {
  if (message.kind === 'shard' && (await loseShard(context, message, thrown))) return 'lost';
  const { body } = errorBody(thrown);
  await endJob(context, {
    v: 1,
    job: message.job,
    status: 'failed',
    reason: reasonOf(message, thrown),
    ...(body.field === undefined ? {} : { field: body.field }),
    endedAt: context.now().toISOString(),
  });
  return 'failed';
}
