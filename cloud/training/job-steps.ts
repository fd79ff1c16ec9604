/** What every step of a job has in common, whichever task takes it: the spec and the plan as the engine wants them. */
import type { JobPlan, TrainSpec } from '../../core/contracts/job.ts';
import { elementDecay } from '../../core/jobs/parameters.ts';
import type { LocalStepsRequest } from './engine/local-steps.ts';

/** The rest of a request is a task's own: rows and shard, where it begins, which steps it takes. */
type JobSteps = Pick<
  LocalStepsRequest,
  'optimizer' | 'schedule' | 'weightDecay' | 'clipNorm' | 'accumulate' | 'seed' | 'stepsPerEpoch' | 'steps'
>;

export function jobSteps(spec: TrainSpec, plan: JobPlan): JobSteps {
  return {
    optimizer: spec.optimizer,
    schedule: spec.schedule,
    weightDecay: elementDecay(plan.parameters, spec.optimizer.weightDecay),
    clipNorm: spec.clipNorm,
    accumulate: spec.accumulate,
    seed: spec.seed,
    stepsPerEpoch: plan.stepsPerEpoch,
    steps: plan.steps,
  };
}
