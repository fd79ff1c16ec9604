/** From a message to the work that it asks for, and whether it is acknowledged. */
import type { CreatedObject } from '../../core/contracts/notification.ts';
import type { QueueMessage } from '../../core/contracts/task.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { jobIdFrom } from '../../core/jobs/id.ts';
import { acceptDropped, droppedJob, droppedTrace, isDropped } from '../batch/inbox.ts';
import { runFanOutTask, splitJob } from '../batch/tasks.ts';
import type { Delivery, FleetContext, Subject } from './context.ts';
import { acceptedFanOut } from './documents.ts';
import { mergeRound } from './merge.ts';
import { mergeSlice } from './merge-slice.ts';
import { planJob } from './plan.ts';
import { afterFailure, type Chance, leave, type Received, refuse } from './failure.ts';
import { readBody, subjectOf } from './message.ts';
import { metered } from './metering.ts';
import { type DeliveryFacts, type Handled, observed } from './observed.ts';
import { releaseJob } from './release.ts';
import { runShard } from './shard.ts';
import { watchRound } from './watch.ts';

export type MessageDelivery = Delivery & DeliveryFacts & Chance;

/**
 * Returning acknowledges the message; throwing leaves it to be delivered again. A fault that trying again cannot mend
 * ends the job with its reason, and so does one that lasted until the message's last chance, unless it was the store's
 * or the queue's: then only the message is lost, and whoever looks after the job announces its work again. A spec that is
 * refused, and what is no message of ours, has no job: it is set aside with the reason.
 */
export async function dispatch(fleet: FleetContext, body: string, delivery: MessageDelivery): Promise<void> {
  const read = readBody(body);
  switch (read.kind) {
    case 'unreadable':
      return acknowledge(
        await observed(fleet, delivery, { kind: 'unreadable' }, (context) =>
          orLeft(refuse(context, body, delivery, read.thrown), delivery),
        ),
      );
    case 'dropped':
      for (const object of read.objects) await acceptObject(fleet, object, delivery);
      return;
    case 'message': {
      const { message } = read;
      const subject = await subjectOf(message, delivery.messageId);
      const work = (context: FleetContext) => handle(metered(context), { message, body }, delivery);
      return acknowledge(await observed(fleet, delivery, subject, work));
    }
  }
}

/** @throws what the message is left in the queue for */
function acknowledge(handled: Handled): void {
  if (handled.outcome === 'retried' || handled.outcome === 'dead') throw handled.thrown;
}

async function handle(
  context: FleetContext,
  received: Received,
  delivery: MessageDelivery,
): Promise<Handled> {
  try {
    await run(context, received.message, delivery);
    return { outcome: 'done' };
  } catch (thrown) {
    return orLeft(afterFailure(context, received, delivery, thrown), delivery);
  }
}

const orLeft = (handled: Promise<Handled>, delivery: MessageDelivery) =>
  handled.catch((again: unknown) => leave(again, delivery));

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
