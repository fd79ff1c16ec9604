/** From what went wrong with a task to what becomes of its message, its shard and its job. */
import type { QueueMessage } from '../../core/contracts/task.ts';
import { errorBody, Fault } from '../../core/errors.ts';
import type { FleetContext } from './context.ts';
import { failJob } from './fail.ts';
import { loseShard } from './lost.ts';
import type { Handled } from './observed.ts';

type JobTask = Extract<QueueMessage, { job: string }>;

export interface Chance {
  /** True where the queue will not hand the message out again but move it to the dead-letter queue. */
  readonly lastChance: boolean;
}

/** A message, and its text. */
export interface Received {
  readonly message: QueueMessage;
  readonly body: string;
}

const isPermanent = (thrown: unknown) => thrown instanceof Fault && !thrown.retryable;

/** To the queue, which hands it out again or sets it aside. */
export const leave = (thrown: unknown, { lastChance }: Chance): Handled => ({
  outcome: lastChance ? 'dead' : 'retried',
  thrown,
});

/**
 * A fault that trying again cannot mend ends the job with its reason, or the shard where the job can do without it; so
 * does one that lasted until the message's last chance, unless it was the store's or the queue's.
 */
export async function afterFailure(
  context: FleetContext,
  { message, body }: Received,
  delivery: Chance,
  thrown: unknown,
): Promise<Handled> {
  if (!('job' in message)) return refuse(context, body, delivery, thrown);
  const permanent = isPermanent(thrown);
  // What fails at its last chance the queue sets aside by itself; what no retry mends need not wait for that.
  const buried = permanent && context.deadLetters !== undefined;
  if (buried) await context.deadLetters?.bury(body, reasonOf(message, thrown));
  const transient = thrown instanceof Fault && thrown.transient;
  const isOver = permanent || (delivery.lastChance && !transient);
  const outcome = isOver ? await giveUp(context, message, thrown) : 'retried';
  return permanent ? { outcome, thrown, buried } : leave(thrown, delivery);
}

/**
 * Of what is no task of a job: a spec that cannot be accepted, a message that says nothing we know. There is no job to
 * carry the reason; the dead letter does.
 */
export async function refuse(
  context: FleetContext,
  body: string,
  delivery: Chance,
  thrown: unknown,
): Promise<Handled> {
  // Without a place to put it the queue keeps it, in its own time.
  if (!isPermanent(thrown) || context.deadLetters === undefined) return leave(thrown, delivery);
  await context.deadLetters.bury(body, errorBody(thrown).body.error);
  return { outcome: 'failed', thrown, buried: true };
}

async function giveUp(context: FleetContext, message: JobTask, thrown: unknown): Promise<'lost' | 'failed'> {
  if (message.kind === 'shard' && (await loseShard(context, message, thrown))) return 'lost';
  const { field } = errorBody(thrown).body;
  const why = { reason: reasonOf(message, thrown), ...(field === undefined ? {} : { field }) };
  await failJob(context, message.job, why);
  return 'failed';
}

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
