/** The tasks of jobs that are split, executed and merged: core/fan-out has the protocol, the table what is done. */
import { type AcceptedFanOut, FanOutPlan } from '../../core/contracts/fan-out.ts';
import { jobPlanKey, jobResultKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { Fault } from '../../core/errors.ts';
import { announceParts, executePart, gatherParts, recheckParts } from '../../core/fan-out/protocol.ts';
import { getDocument, type Remembering } from '../../core/storage/documents.ts';
import type { Cache, Delivery } from '../training/context.ts';
import type { BatchContext } from './context.ts';
import { WORK } from './kinds/table.ts';
import { planFanOut } from './plan.ts';

type TasksContext = BatchContext & { readonly caches: { readonly documents: Cache<unknown> } };
type FanOutTask = Extract<Task, { kind: 'execute' | 'gather' | 'recheck' }>;

/** Task `plan` of such a job. */
export async function splitJob(context: TasksContext, accepted: AcceptedFanOut): Promise<void> {
  if ((await context.store.head(jobResultKey(accepted.job))) !== undefined) return;
  const { plan, isNew } = await planFanOut(context, accepted);
  context.caches.documents.set(jobPlanKey(plan.job), plan);
  await announceParts(context, plan, isNew);
}

export async function runFanOutTask(
  fleet: TasksContext,
  task: FanOutTask,
  delivery: Delivery,
): Promise<void> {
  const context = { ...fleet, documents: fleet.caches.documents };
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
async function readPlan(memory: Remembering, job: string): Promise<FanOutPlan> {
  const plan = await getDocument(memory, jobPlanKey(job), FanOutPlan);
  if (plan === undefined) throw new Fault('unavailable', `job ${job} has no plan yet`);
  return plan;
}
