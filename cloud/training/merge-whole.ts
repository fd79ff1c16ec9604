/** The merge of the whole vector, in one task. */
import type { AcceptedJob, JobPlan } from '../../core/contracts/job.ts';
import { elementDecay } from '../../core/jobs/parameters.ts';
import { stepsOfRound } from '../../core/jobs/schedule.ts';
import { trainedLength } from '../../core/strategies/slices.ts';
import { strategyOf } from '../../core/strategies/table.ts';
import type { FleetContext } from './context.ts';
import { baseOfRound, readState } from './documents.ts';
import { type Merged, NO_STATE, writtenBytes } from './merged.ts';
import { putPieces } from './parts.ts';
import { type PresentUpdate, readUpdate } from './updates.ts';

export async function mergeWhole(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
  present: readonly PresentUpdate[],
): Promise<Merged> {
  const { store, caches } = context;
  const strategy = strategyOf(accepted.spec);
  const needsState = strategy.sends !== 'state';
  const [state, updates] = await Promise.all([
    needsState ? readState(context, accepted, plan, await baseOfRound(context, plan, round)) : NO_STATE,
    Promise.all(present.map((update) => readUpdate(store, plan, strategy, update))),
  ]);
  const merged = strategy.merge({
    state,
    updates,
    trained: trainedLength(plan.parameters),
    step: stepsOfRound(plan, round).start,
    steps: plan.steps,
    weightDecay: elementDecay(plan.parameters, accepted.spec.optimizer.weightDecay),
  });
  const pieces = await putPieces(store, plan, strategy, merged);
  caches.states.set(pieces.state.sha256, merged);
  const read = present.reduce((sum, { bytes }) => sum + bytes, 0);
  // The state before is as long as the state after: the same tensors under the same names.
  return {
    ...pieces,
    read: read + (needsState ? pieces.state.bytes : 0),
    written: writtenBytes(pieces),
    usages: [],
  };
}
