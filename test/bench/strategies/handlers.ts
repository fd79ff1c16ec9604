/** A job through the fleet's own handlers, over a store and a queue in this process. */
import { JobPlan, RoundCommit, type TrainRequest } from '../../../core/contracts/job.ts';
import { blobKey, jobPlanKey, roundCommitKey, shardUpdateKey } from '../../../core/contracts/keys.ts';
import type { Task } from '../../../core/contracts/task.ts';
import { getJson } from '../../../core/storage/json.ts';
import { sumTraffic } from '../../../core/strategies/traffic.ts';
import { runInProcess } from '../../in-process-fleet.ts';
import type { MemoryStore } from '../../unit/memory-store.ts';
import type { Outcome } from './job.ts';

/** Rounds whose objects may still be needed, those that overlap among them. */
const KEPT_ROUNDS = 4;

export async function throughHandlers(store: MemoryStore, spec: TrainRequest, job: string): Promise<Outcome> {
  const forgotten = new Set<number>();
  const onTask = async (task: Task) => {
    if (task.kind !== 'shard' || task.round < KEPT_ROUNDS || forgotten.has(task.round)) return;
    forgotten.add(task.round);
    await forget(store, job, task.round - KEPT_ROUNDS);
  };
  const { result, commits, plan } = await runInProcess(store, spec, { job, onTask });
  if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
  const bytes = sumTraffic(commits.map((commit) => commit.bytes));
  if (bytes === null) throw new Error('a round was not counted');
  return { accuracy: result.metrics['accuracy'] ?? 0, rounds: plan.rounds, bytes };
}

/** States and updates of rounds long merged: a bucket keeps them, memory cannot. */
async function forget(store: MemoryStore, job: string, round: number): Promise<void> {
  const plan = await getJson(store, jobPlanKey(job), JobPlan);
  const commit = await getJson(store, roundCommitKey(job, round), RoundCommit);
  if (commit === undefined || plan === undefined) return;
  const parts = [{ sha256: commit.state }, commit.model, ...(commit.residuals ?? [])];
  const blobs = parts.flatMap((part) => (part === undefined || part === null ? [] : [blobKey(part.sha256)]));
  const updates = plan.shards.map((_, shard) => shardUpdateKey(job, round, shard));
  await Promise.all([...blobs, ...updates].map((key) => store.delete(key)));
}
