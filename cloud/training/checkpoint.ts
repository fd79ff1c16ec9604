/**
 * A shard whose function nears its time limit writes where it got to and hands on: a checkpoint, create-only, and a
 * message that goes on from there. Steps are deterministic and a checkpoint has all they depend on, so the update has the
 * bits of an undisturbed run.
 */
import { z } from 'zod';
import type { AcceptedJob, JobPlan } from '../../core/contracts/job.ts';
import { shardPartKey } from '../../core/contracts/keys.ts';
import type { TaskMeter } from '../../core/contracts/usage.ts';
import { Fault } from '../../core/errors.ts';
import { addUsage } from '../../core/costs/usage.ts';
import { goOn, meterOf } from '../../core/jobs/meter.ts';
import { stateOfTensors, type TrainingState } from '../../core/jobs/state.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { decodeSafetensors } from '../../core/tensors/safetensors.ts';
import type { Delivery, FleetContext } from './context.ts';
import { startOfRound } from './documents.ts';
import { TallyState } from './engine/tally.ts';

/** Milliseconds kept to encode and store a checkpoint: 100 MB at 25 MB/s, and as much again. */
const RESERVE_MS = 8_000;

const Progress = z.strictObject({ step: z.int().min(1), tally: TallyState });

export interface ShardPart extends z.infer<typeof Progress> {
  readonly state: TrainingState;
  /** Of all the executions up to it. */
  readonly meter: TaskMeter | undefined;
}

/**
 * @throws Fault `unavailable` where it cannot be read yet: the queue tries again; `unprocessable` where it was trained from
 * another state than the round starts from
 */
export async function readPart(
  context: FleetContext,
  { spec }: AcceptedJob,
  plan: JobPlan,
  { round, shard }: { readonly round: number; readonly shard: number },
  part: number,
): Promise<ShardPart> {
  const key = shardPartKey(plan.job, round, shard, part);
  const [object, start] = await Promise.all([context.store.get(key), startOfRound(context, plan, round)]);
  if (object === undefined) throw new Fault('unavailable', `${key} is not there`);
  const { slots } = createOptimizer(spec.optimizer);
  const { tensors, metadata } = decodeSafetensors(object.body);
  if (metadata['base'] !== start.sha256) {
    const which = `checkpoint ${part} of shard ${shard} in round ${round}`;
    throw new Fault('unprocessable', `${which} was trained from another state`);
  }
  const state = stateOfTensors(tensors, plan.parameters, slots);
  const { step, tally } = Progress.parse(JSON.parse(metadata['progress'] ?? 'null'));
  return { state, step, tally, meter: meterOf(object) };
}

/** Asked before each step: is there no time left for another one and a checkpoint? */
export function mustHandOn({ remainingMs }: Delivery): () => boolean {
  if (remainingMs === undefined) return () => false;
  let before = remainingMs();
  let longest = 0;
  return () => {
    const left = remainingMs();
    longest = Math.max(longest, before - left);
    before = left;
    return left < RESERVE_MS + 2 * longest;
  };
}

/** What this execution took, and those whose work it goes on with. @param copy see the task */
export function meterSince(
  { meter, now }: FleetContext,
  from: ShardPart | undefined,
  { attempt }: Delivery,
  copy?: number,
): TaskMeter {
  const own = meter?.read() ?? { startedAt: now().toISOString(), usage: addUsage() };
  return goOn(from?.meter, own, { attempt, copy });
}
