/** The tasks of jobs that are split, executed and merged: core/fan-out has the protocol, the table what is done. */
import { type AcceptedFanOut, FanOutPlan } from '../../core/contracts/fan-out.ts';
import { jobPlanKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { Fault } from '../../core/errors.ts';
import { stopIfDue } from '../../core/fan-out/ending.ts';
import { announceParts, executePart, gatherParts, recheckParts } from '../../core/fan-out/protocol.ts';
import { askStanding, goesOn } from '../../core/jobs/standing.ts';
import { getDocument, type Remembering } from '../../core/storage/documents.ts';
import type { Cache, Delivery } from '../training/context.ts';
import type { BatchContext } from './context.ts';
import { WORK } from './kinds/table.ts';
import { planFanOut } from './plan.ts';

type TasksContext = BatchContext & { readonly caches: { readonly documents: Cache<unknown> } };
type FanOutTask = Extract<Task, { kind: 'execute' | 'gather' | 'recheck' }>;

/** Task `plan` of such a job. */
export async function splitJob(fleet: TasksContext, accepted: AcceptedFanOut): Promise<void> {
  const context = remembering(fleet);
  const standing = await askStanding(context, accepted.job);
  if (!goesOn(standing)) return;
  const { plan, isNew } = await planFanOut(context, accepted);
  context.documents.set(jobPlanKey(plan.job), plan);
  if (await stopIfDue(context, plan, standing, 'known')) return;
  await announceParts(context, plan, isNew, standing);
}

export async function runFanOutTask(
  fleet: TasksContext,
  task: FanOutTask,
  delivery: Delivery,
): Promise<void> {
  const context = remembering(fleet);
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

const remembering = (fleet: TasksContext) => ({ ...fleet, documents: fleet.caches.documents });

/** @throws Fault `unavailable`: a task was delivered before its plan can be read; the queue tries again */
async function readPlan(memory: Remembering, job: string): Promise<FanOutPlan> {
  const plan = await getDocument(memory, jobPlanKey(job), FanOutPlan);
  if (plan === undefined) throw new Fault('unavailable', `job ${job} has no plan yet`);
  return plan;
}
