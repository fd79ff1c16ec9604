import type { ScheduleSpec } from '../contracts/optimizer.ts';
import { Fault } from '../errors.ts';
import { power } from './power.ts';

/**
 * The rate rises linearly through the warm-up steps (Goyal et al. 2017, arXiv:1706.02677): a fraction
 * (step+1)/(warmupSteps+1) of the base, never zero. The step after them is the first at the base, and what the
 * schedule's kind says begins there.
 * @param step 0-based, over the whole job
 * @param steps of the whole job; `linear` and `cosine` reach their floor at its last step, or stay at the base where
 *   it is the only one after the warm-up
 */
export function learningRateAt(schedule: ScheduleSpec, base: number, step: number, steps: number): number {
  const { warmupSteps } = schedule;
  if (step < warmupSteps) return (base * (step + 1)) / (warmupSteps + 1);
  const since = step - warmupSteps;
  const last = steps - 1 - warmupSteps;
  return base * decay(schedule, since, last <= 0 ? 0 : Math.min(since / last, 1));
}

/**
 * @param since steps since the warm-up
 * @param progress 0 ≤ p ≤ 1 through the steps after the warm-up
 */
function decay(schedule: ScheduleSpec, since: number, progress: number): number {
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'linear':
      return between(schedule.floor, 1 - progress);
    case 'cosine':
      // Without restarts: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.
      return between(schedule.floor, (1 + Math.cos(Math.PI * progress)) / 2);
    case 'step':
      return power(schedule.factor, Math.floor(since / schedule.every));
  }
}

const between = (floor: number, fraction: number) => floor + (1 - floor) * fraction;

/** @throws Fault `unprocessable` where the job ends before the rate has reached its base */
export function checkSchedule({ warmupSteps }: ScheduleSpec, steps: number): void {
  if (warmupSteps < steps) return;
  const field = 'schedule.warmupSteps';
  throw new Fault('unprocessable', `${field}: ${warmupSteps}, but the job has ${steps} steps in all`, {
    field,
  });
}
