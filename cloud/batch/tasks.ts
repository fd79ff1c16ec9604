/** The tasks of jobs that are split, executed and merged: core/fan-out has the protocol, the table what is done. */
import { type AcceptedFanOut, FanOutPlan } from '../../core/contracts/fan-out.ts';
import { jobPlanKey, jobResultKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { Fault } from '../../core/errors.ts';
import { announceParts, executePart, gatherParts, recheckParts } from '../../core/fan-out/protocol.ts';
import { getJson } from '../../core/storage/json.ts';
import type { Cache, Delivery } from '../training/context.ts';
import type { BatchContext } from './context.ts';
import { WORK } from './kinds/table.ts';
import { planFanOut } from './plan.ts';

type TasksContext = BatchContext & { readonly caches: { readonly documents: Cache<unknown> } };
type FanOutTask = Extract<Task, { kind: 'execute' | 'gather' | 'recheck' }>;

/** Task `plan` of such a job. */
export async function splitJob(context: TasksContext, accepted: AcceptedFanOut): Promise<void> {
  if ((await context.store.head(jobResultKey(accepted.job))) !== undefined) return;
  await announceParts(context, await planFanOut(context, accepted));
}

export async function runFanOutTask(
  context: TasksContext,
  task: FanOutTask,
  delivery: Delivery,
): Promise<void> {
  const plan = await readPlan(context, task.job);
  const work = WORK[plan.spec.kind](context);
  switch (task.kind) {
    case 'execute':
      return executePart(context, work, plan, task.part, delivery);
    case 'gather':
      return gatherParts(context, work, plan);
    case 'recheck':
      return recheckParts(context, plan, task, delivery.redelivered);
  }
}

/** @throws Fault `unavailable`: a task was delivered before its plan can be read; the queue tries again */
async function readPlan({ store, caches }: TasksContext, job: string): Promise<FanOutPlan> {
  const key = jobPlanKey(job);
  const known = caches.documents.get(key);
  if (known !== undefined) return known as FanOutPlan;
  const plan = await getJson(store, key, FanOutPlan);
  if (plan === undefined) throw new Fault('unavailable', `job ${job} has no plan yet`);
  caches.documents.set(key, plan);
  return plan;
}
