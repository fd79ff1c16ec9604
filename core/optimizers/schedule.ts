import type { ScheduleSpec } from '../contracts/job.ts';

/** Fraction of the base rate at progress 0 ≤ p ≤ 1 through the job. */
const FACTOR: Readonly<Record<ScheduleSpec, (progress: number) => number>> = {
  constant: () => 1,
  linear: (progress) => 1 - progress,
  /** Without restarts: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5. */
  cosine: (progress) => (1 + Math.cos(Math.PI * progress)) / 2,
};

/**
 * @param step 0-based, over the whole job
 * @param steps of the whole job; `linear` and `cosine` reach zero at its last step, or stay at the base for only one
 */
export function learningRateAt(schedule: ScheduleSpec, base: number, step: number, steps: number): number {
  const progress = steps <= 1 ? 0 : Math.min(step / (steps - 1), 1);
  return base * FACTOR[schedule](progress);
}
