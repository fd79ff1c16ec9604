/** The two ways there are to merge: the mean of states, and an optimizer's step along the mean of directions. */
import type { OptimizerSpec, ScheduleSpec } from '../contracts/optimizer.ts';
import { Fault } from '../errors.ts';
import { meanOf } from '../jobs/average.ts';
import { clipScale, sumOfSquares } from '../optimizers/clip.ts';
import { createOptimizer } from '../optimizers/optimizer.ts';
import { learningRateAt } from '../optimizers/schedule.ts';
import { allFinite } from '../tensors/finite.ts';
import type { Strategy, Update } from './strategy.ts';

function vectorOf(name: string): (update: Update) => Float32Array {
  return ({ shard, vectors }) => {
    const vector = vectors[name];
    if (vector === undefined) throw new Fault('invalid', `the update of shard ${shard} has no ${name}`);
    return vector;
  };
}

/** Parameters and slots alike. The state before does not matter. */
export function meanState(slots: readonly string[]): Pick<Strategy, 'slots' | 'merge'> {
  return {
    slots,
    merge({ updates, trained }) {
      const mean = (name: string) => meanOf(updates, vectorOf(name), trained);
      return {
        parameters: mean('parameters'),
        slots: Object.fromEntries(slots.map((slot) => [slot, mean(slot)])),
      };
    },
  };
}

export interface DirectionStep {
  readonly sent: 'change' | 'gradient';
  readonly optimizer: OptimizerSpec;
  readonly schedule: ScheduleSpec;
  /** The mean is scaled down to this norm; default: as it is. Needs the whole vector. */
  readonly clipNorm?: number | undefined;
  /** Names the optimizer's slots in the state; default: as they are. */
  readonly prefix?: string;
}

/** What is assigned has no direction: there the vectors have its next values, and their mean is taken as it is. */
export function directionStep(options: DirectionStep): Pick<Strategy, 'slots' | 'merge'> {
  const { sent, schedule, clipNorm, prefix = '' } = options;
  const optimizer = createOptimizer(options.optimizer);
  return {
    slots: optimizer.slots.map((slot) => `${prefix}${slot}`),
    merge({ state, updates, trained, step, steps, weightDecay }) {
      const mean = meanOf(updates, vectorOf(sent), trained);
      const parameters = state.parameters.slice();
      const slots = Object.fromEntries(
        optimizer.slots.map((slot) => [slot, state.slots[`${prefix}${slot}`]!.slice()]),
      );
      const head = (vector: Float32Array<ArrayBuffer>) => vector.subarray(0, trained);
      const gradient = head(mean);
      if (clipNorm !== undefined) scaleDown(gradient, clipNorm);
      optimizer.update({
        parameters: head(parameters),
        gradient,
        state: Object.fromEntries(Object.entries(slots).map(([slot, vector]) => [slot, head(vector)])),
        step,
        learningRate: learningRateAt(schedule, options.optimizer.learningRate, step, steps),
        ...(weightDecay === undefined ? {} : { weightDecay: head(weightDecay) }),
      });
      parameters.set(mean.subarray(trained), trained);
      // Finite directions may still add up to an infinity.
      if (!allFinite(parameters))
        throw new Fault('unprocessable', 'the merged parameters are not finite: training diverged');
      return {
        parameters,
        slots: Object.fromEntries(
          Object.entries(slots).map(([slot, vector]) => [`${prefix}${slot}`, vector]),
        ),
      };
    },
  };
}

function scaleDown(gradient: Float32Array, norm: number): void {
  const scale = Math.fround(clipScale(sumOfSquares(gradient), norm));
  if (scale !== 1) for (let i = 0; i < gradient.length; i++) gradient[i]! *= scale;
}
