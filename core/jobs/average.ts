/**
 * The merge of a synchronous round: the mean of the shards' states, weighted by their samples, summed in float64 in
 * shard order, so that the bytes do not depend on who finished first. (Federated averaging: McMahan et al. 2017,
 * arXiv:1602.05629; with optimizer slots averaged alike, as local Adam does.)
 */
import { Fault } from '../errors.ts';
import type { TrainingState } from './state.ts';

export interface ShardUpdate {
  readonly shard: number;
  readonly samples: number;
  readonly state: TrainingState;
}

/**
 * @param updates all of one layout, at least one; their order does not matter
 * @throws Fault `unprocessable` naming the shard whose update has a NaN or an infinity
 */
export function averageUpdates(updates: readonly ShardUpdate[]): TrainingState {
  const ordered = [...updates].sort((a, b) => a.shard - b.shard);
  const first = ordered[0];
  if (first === undefined) throw new Fault('invalid', 'a round needs at least one update');
  const total = ordered.reduce((sum, { samples }) => sum + samples, 0);
  const mean = (flatOf: (state: TrainingState) => Float32Array) => {
    const sum = new Float64Array(flatOf(first.state).length);
    for (const { shard, samples, state } of ordered) {
      if (!addScaled(sum, flatOf(state), samples / total)) {
        throw new Fault('unprocessable', `the update of shard ${shard} is not finite: training diverged`);
      }
    }
    return Float32Array.from(sum);
  };
  const slots = Object.keys(first.state.slots).map((slot) => {
    return [slot, mean((state) => slotOf(state, slot))] as const;
  });
  return { parameters: mean((state) => state.parameters), slots: Object.fromEntries(slots) };
}

/** `sum += weight · values`. @returns false where a value is not finite. */
function addScaled(sum: Float64Array, values: Float32Array, weight: number): boolean {
  // x − x is 0 for every finite x and NaN otherwise, and NaN sticks: one check after the loop instead of one in it.
  let notFinite = 0;
  for (let i = 0; i < sum.length; i++) {
    const value = values[i]!;
    notFinite += value - value;
    sum[i]! += weight * value;
  }
  return notFinite === 0;
}

function slotOf(state: TrainingState, slot: string): Float32Array {
  const flat = state.slots[slot];
  if (flat === undefined) throw new Fault('invalid', `an update has no optimizer slot ${slot}`);
  return flat;
}
