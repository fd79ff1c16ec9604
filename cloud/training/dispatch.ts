/** From a message's text to the task it asks for, and from what went wrong to what becomes of the job. */
import { JobSpec } from '../../core/contracts/job.ts';
import { createdObjects } from '../../core/contracts/notification.ts';
import { type QueueMessage, QueueMessage as Message } from '../../core/contracts/task.ts';
import { errorBody, Fault } from '../../core/errors.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { jobIdFrom } from '../../core/jobs/id.ts';
import { parse } from '../../core/contracts/parse.ts';
import { acceptDropped } from '../batch/inbox.ts';
import { runFanOutTask, splitJob } from '../batch/tasks.ts';
import type { Delivery, FleetContext } from './context.ts';
import { acceptedFanOut } from './documents.ts';
import { mergeRound } from './merge.ts';
import { mergeSlice } from './merge-pieces.ts';
import { planJob } from './plan.ts';
import { endJob } from './ending.ts';
import { loseShard } from './lost.ts';
import { metered } from './metering.ts';
import { releaseJob } from './release.ts';
import { runShard } from './shard.ts';
import { watchRound } from './watch.ts';

export interface MessageDelivery extends Delivery {
  readonly messageId: string;
  /** True where the queue will not hand the message out again but move it to the dead-letter queue. */
  readonly lastChance: boolean;
}

/**
 * Returning acknowledges the message; throwing leaves it to be delivered again. A fault that trying again cannot mend
 * ends the job with its reason, and so does one that lasted until the message's last chance, unless it was the store's
 * or the queue's: then only the message is lost, and whoever looks after the job announces its work again.
 */
export async function dispatch(fleet: FleetContext, body: string, delivery: MessageDelivery): Promise<void> {
  const value = parseBody(body);
  const dropped = createdObjects(value);
  if (dropped !== undefined) {
    for (const object of dropped) await acceptDropped(fleet, object);
    return;
  }
  const message = parseMessage(value);
  const context = metered(fleet);
  try {
    await run(context, message, delivery);
  } catch (thrown) {
    const permanent = thrown instanceof Fault && !thrown.retryable;
    // A spec that came by message and cannot be accepted has no job to carry the reason: the dead-letter queue keeps it.
    if (!('job' in message)) throw thrown;
    // What fails at its last chance the queue sets aside by itself; what no retry mends need not wait for that.
    if (permanent && message.kind === 'shard')
      await context.deadLetters?.bury(message, reasonOf(message, thrown));
    const transient = thrown instanceof Fault && thrown.transient;
    if (permanent || (delivery.lastChance && !transient)) await giveUp(context, message, thrown);
    else if (delivery.lastChance) log('message set aside', message, thrown);
    if (!permanent) throw thrown;
  }
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
        acceptJob(context.store, context.queue, message, { job, now: context.now() }),
      );
  }
}

async function startJob(context: FleetContext, job: string): Promise<void> {
  const fanOut = await acceptedFanOut(context, job);
  await (fanOut === undefined ? planJob(context, job) : splitJob(context, fanOut));
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new Fault('invalid', 'message body is not JSON', { cause });
  }
}

const JOB_KINDS: ReadonlySet<unknown> = new Set(JobSpec.options.map(({ shape }) => shape.kind.value));

/** @throws Fault `invalid` for what is no message of ours: it is redelivered, then kept in the dead-letter queue */
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

async function giveUp(context: FleetContext, message: JobTask, thrown: unknown): Promise<void> {
  if (message.kind === 'shard' && (await loseShard(context, message, thrown))) {
    log('shard lost', message, thrown);
    return;
  }
  const { body } = errorBody(thrown);
  await endJob(context, {
    v: 1,
    job: message.job,
    status: 'failed',
    reason: reasonOf(message, thrown),
    ...(body.field === undefined ? {} : { field: body.field }),
    endedAt: context.now().toISOString(),
  });
  log('job failed', message, thrown);
}

/** One JSON line: the shape CloudWatch Logs Insights reads. */
function log(what: string, message: QueueMessage, thrown: unknown): void {
  const error =
    thrown instanceof Error ? { name: thrown.name, message: thrown.message, stack: thrown.stack } : thrown;
  console.error(JSON.stringify({ level: 'ERROR', message: what, task: message, error }));
}
