/** The fleet's own handlers over a store and a queue in this process: a queue that may disturb, by a seeded draw. */
import { nativeRuntime } from '../cloud/adapters/onnxruntime.ts';
import { recent, shardCache, sized } from '../cloud/training/caches.ts';
import type { FleetContext } from '../cloud/training/context.ts';
import { dispatch } from '../cloud/training/dispatch.ts';
import { loseShard } from '../cloud/training/lost.ts';
import type { TrainingProgram } from '../cloud/training/engine/program.ts';
import { JobPlan, JobResult, RoundCommit, type TrainRequest } from '../core/contracts/job.ts';
import { jobPlanKey, jobResultKey, roundCommitKey } from '../core/contracts/keys.ts';
import type { Task } from '../core/contracts/task.ts';
import { Fault } from '../core/errors.ts';
import { acceptJob } from '../core/jobs/accept.ts';
import { announceUnfinished } from '../core/jobs/resume.ts';
import type { TrainingState } from '../core/jobs/state.ts';
import type { Random } from '../core/random.ts';
import { getJson } from '../core/storage/json.ts';
import type { MemoryStore } from './unit/memory-store.ts';

/** Of deliveries: done twice, and ended by death at one of the operations on store or queue. */
const TWICE = 0.2;
const DEATH = 0.02;
/** Enough for any job that is disturbed; one that needs more never ends. */
const MOST_DELIVERIES = 20_000;

interface Message {
  readonly task: Task;
  readonly redelivered: boolean;
}

export interface RunOptions {
  readonly job?: string;
  /** A date: time stands still. */
  readonly now?: Date | (() => Date);
  /** Of its one function; default: none, so that its seconds cost nothing. */
  readonly memoryGb?: number;
  /** Messages come in any order, twice, and to functions that die. Default: each once, in order. */
  readonly disturb?: Random;
  /** After so many deliveries all messages are lost, and the fleet starts anew from the objects. */
  readonly loseAt?: number;
  /** Shards that no retry mends. */
  readonly isLost?: (task: Task) => boolean;
  /** Milliseconds that its function always has left: with few, a merge gets a message of its own. Default: enough. */
  readonly remainingMs?: number;
  /** Sees every task before it is handled. */
  readonly onTask?: (task: Task) => unknown;
}

export interface Course {
  readonly plan: JobPlan;
  readonly commits: readonly RoundCommit[];
  readonly result: JobResult;
}

/** Runs a job to its end. Watches are dropped: messages are lost all at once or not at all. @throws where it never ends */
export async function runInProcess(
  store: MemoryStore,
  spec: TrainRequest,
  {
    job = 'job_00000001',
    now = new Date('2026-01-02T03:04:05Z'),
    memoryGb,
    disturb,
    loseAt,
    isLost,
    remainingMs,
    onTask,
  }: RunOptions = {},
): Promise<Course> {
  const time = typeof now === 'function' ? now : () => now;
  const messages: Message[] = [];
  const hazard = () => {
    if (disturb !== undefined && accepted && disturb.uniform() < DEATH)
      throw new Fault('unavailable', 'died');
  };
  let accepted = false;
  const queue: FleetContext['queue'] = {
    send: async (tasks) => {
      await Promise.resolve();
      hazard();
      for (const task of tasks) if (task.kind !== 'watch') messages.push({ task, redelivered: false });
    },
  };
  const programs = recent<Promise<TrainingProgram>>(4);
  const context: FleetContext = {
    store,
    queue,
    runtime: nativeRuntime(),
    now: time,
    ...(memoryGb === undefined ? {} : { memoryGb }),
    watchSeconds: 1,
    caches: {
      rows: shardCache(1e9),
      programs,
      states: recent<TrainingState>(4),
      updates: sized(64 * 1024 * 1024),
      documents: recent<unknown>(64),
      sessions: recent(2),
    },
  };
  await acceptJob(store, queue, spec, { job, now: time() });
  accepted = true;
  store.before = hazard;
  for (let deliveries = 0; messages.length > 0; deliveries++) {
    if (disturb !== undefined && deliveries > MOST_DELIVERIES) throw new Error('the job does not end');
    if (deliveries === loseAt) {
      messages.length = 0;
      const faults = await announceUnfinished(store, {
        send: async (tasks) => void messages.push(...tasks.map((task) => ({ task, redelivered: false }))),
      });
      if (faults[0] !== undefined) throw faults[0].thrown;
    }
    const [message] = messages.splice(disturb === undefined ? 0 : disturb.below(messages.length), 1);
    if (message === undefined) break;
    if (disturb !== undefined && disturb.uniform() < TWICE) messages.push(message);
    const { task, redelivered } = message;
    await onTask?.(task);
    try {
      if (task.kind === 'shard' && isLost?.(task)) {
        await loseShard(context, task, new Fault('unprocessable', 'poisoned'));
        continue;
      }
      await dispatch(context, JSON.stringify(task), {
        messageId: 'm',
        redelivered,
        lastChance: false,
        ...(remainingMs === undefined ? {} : { remainingMs: () => remainingMs }),
      });
    } catch (thrown) {
      if (disturb === undefined) throw thrown;
      messages.push({ task, redelivered: true });
    }
  }
  store.before = () => undefined;
  return courseOf(store, job);
}

async function courseOf(store: MemoryStore, job: string): Promise<Course> {
  const plan = await getJson(store, jobPlanKey(job), JobPlan);
  const result = await getJson(store, jobResultKey(job), JobResult);
  if (result === undefined || plan === undefined) throw new Error('the job has not ended');
  const commits = await Promise.all(
    Array.from({ length: plan.rounds }, (_, round) =>
      getJson(store, roundCommitKey(job, round), RoundCommit),
    ),
  );
  return { plan, result, commits: commits.filter((commit) => commit !== undefined) };
}
