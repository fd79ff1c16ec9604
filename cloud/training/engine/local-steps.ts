/** A shard's optimizer steps, or the gradient of one: the work of one task. A pure function of its arguments, to the bit. */
import type { OptimizerSpec, ScheduleSpec } from '../../../core/contracts/optimizer.ts';
import { Fault } from '../../../core/errors.ts';
import type { OptimizerState } from '../../../core/optimizers/optimizer.ts';
import { learningRateAt } from '../../../core/optimizers/schedule.ts';
import type { Measured } from '../../../core/metrics/combine.ts';
import { batchesOf, batchGatherer, batchOrder, rowCount, type Rows } from './batches.ts';
import { checkRows } from './check-rows.ts';
import { noiseSource } from './noise.ts';
import type { TrainingProgram } from './program.ts';
import { createTally, type TallyState } from './tally.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

export interface LocalStepsRequest {
  readonly program: TrainingProgram;
  /** The shard's own rows. */
  readonly rows: Rows;
  /** Before step `from`; not written. */
  readonly parameters: Float32Array;
  /** Before step `from`; not written. */
  readonly state: Readonly<Record<string, Float32Array>>;
  readonly optimizer: OptimizerSpec;
  readonly schedule: ScheduleSpec;
  /** Weight decay of each element; default: the optimizer's for all. */
  readonly weightDecay?: Float32Array | undefined;
  /** Gradients are scaled down to this norm; default: as they are. */
  readonly clipNorm?: number | undefined;
  /** Batches whose mean gradient makes a step, default 1. */
  readonly accumulate?: number | undefined;
  /** The step before which the optimizer's state was zero, default 0. */
  readonly optimizerFrom?: number | undefined;
  readonly seed: number;
  readonly shard: number;
  /** Steps `[from, to)`, counted over the whole job. */
  readonly from: number;
  readonly to: number;
  readonly stepsPerEpoch: number;
  /** Of the whole job: the schedule's length. */
  readonly steps: number;
  /** Checked before each step. */
  readonly signal?: AbortSignal;
  /** Asked before each step but the first: true ends the run there, to be gone on with. */
  readonly pause?: (step: number) => boolean;
  /** Of the steps before `from`, where a run goes on. */
  readonly tally?: TallyState | undefined;
}

/** Loss and metrics of each batch are those before the step it took part in. */
export interface LocalStepsResult extends Measured {
  readonly parameters: Float32Array<ArrayBuffer>;
  readonly state: OptimizerState;
  /** Rows trained on. */
  readonly samples: number;
  /** The step to go on with: `to`, where the run was not paused. */
  readonly next: number;
  readonly tally: TallyState;
}

/**
 * @throws Fault `unprocessable` where the data does not fit the model or the loss is no longer finite, `unavailable`
 *   where the signal was aborted
 */
export async function localSteps(request: LocalStepsRequest): Promise<LocalStepsResult> {
  const { program, from, to, steps, shard, schedule, optimizerFrom = 0 } = request;
  const { workspace, tally, gradientOf } = prepare(request);
  const { parameters, gradient, state } = workspace;
  let step = from;
  for (; step < to; step++) {
    if (step > from && request.pause?.(step) === true) break;
    await gradientOf(step);
    const next = takeAssigned(gradient, program.trained);
    if (Number.isNaN(workspace.clip())) throw diverged("gradient's norm", NaN, step, shard);
    const rate = learningRateAt(schedule, request.optimizer.learningRate, step, steps);
    workspace.update(step - optimizerFrom, rate);
    parameters.set(next, program.trained);
  }
  return {
    parameters: parameters.slice(),
    state: Object.fromEntries(Object.entries(state).map(([slot, vector]) => [slot, vector.slice()])),
    next: step,
    tally: tally.state(),
    ...tally.result(),
  };
}

export interface StepGradientResult extends Measured {
  /** The mean over the step's batches; in the place of what is assigned, its next values. */
  readonly gradient: Float32Array<ArrayBuffer>;
  readonly samples: number;
}

/** The gradient of one step, which is not taken. @throws Fault as {@link localSteps} */
export async function stepGradient(
  request: Omit<LocalStepsRequest, 'to' | 'state' | 'optimizer' | 'schedule'>,
): Promise<StepGradientResult> {
  const { workspace, tally, gradientOf } = prepare({
    ...request,
    to: request.from + 1,
    state: {},
    optimizer: STATELESS,
  });
  await gradientOf(request.from);
  return { gradient: workspace.gradient.slice(), ...tally.result() };
}

const STATELESS: OptimizerSpec = {
  kind: 'sgd',
  learningRate: 1,
  momentum: 0,
  nesterov: false,
  weightDecay: 0,
};

/** Everything that steps need, and what puts a step's gradient into the workspace. */
function prepare(request: Omit<LocalStepsRequest, 'schedule'>) {
  const { program, rows, from, to, steps, stepsPerEpoch, seed, shard, accumulate = 1 } = request;
  if (!(from >= 0 && from < to && to <= steps))
    throw new Fault('invalid', `steps ${from} to ${to} are not among the job's ${steps}`, { field: 'from' });
  const count = rowCount(rows);
  const inputs = checkRows(program, rows);

  const orderOf = batchOrder({ rows: count, stepsPerEpoch, seed, shard });
  const largest = Math.ceil(Math.ceil(count / stepsPerEpoch) / accumulate);
  const gather = batchGatherer(inputs, largest);
  const noiseOf = noiseSource(program.noise, largest);
  const workspace = createWorkspace({ ...request, length: program.length });
  fill(workspace, request);
  const { parameters, gradient } = workspace;
  const tally = createTally(program.metrics, request.tally);

  const gradientOf = async (step: number) => {
    if (request.signal?.aborted === true)
      throw new Fault('unavailable', `stopped before step ${step}`, { cause: request.signal.reason });
    for (const { order, ...place } of batchesOf(orderOf(step), accumulate)) {
      const noise = noiseOf(order.length, { seed, shard, step, batch: place.index });
      const batch = await program.gradients(parameters, gather(order), gradient, noise);
      if (!Number.isFinite(batch.loss)) throw diverged('loss', batch.loss, step, shard);
      tally.add(batch);
      workspace.accumulate({ ...place, weight: batch.count });
    }
  };
  return { workspace, tally, gradientOf };
}

/** What is assigned has no gradient: its next values are taken out of there. */
function takeAssigned(gradient: Float32Array<ArrayBuffer>, from: number): Float32Array<ArrayBuffer> {
  const next = gradient.slice(from);
  gradient.fill(0, from);
  return next;
}

function diverged(what: string, value: number, step: number, shard: number): Fault {
  return new Fault(
    'unprocessable',
    `training diverged: the ${what} is ${value} at step ${step} of shard ${shard}; lower the learning rate`,
    { field: 'optimizer.learningRate' },
  );
}

/** Copies the given parameters and state in. @throws Fault `invalid` where a vector is missing or too short */
function fill(
  workspace: Workspace,
  { parameters, state }: Pick<LocalStepsRequest, 'parameters' | 'state'>,
): void {
  const vectors = { parameters: workspace.parameters, ...workspace.state };
  const given: Readonly<Record<string, Float32Array | undefined>> = { ...state, parameters };
  for (const [name, vector] of Object.entries(vectors)) {
    const source = given[name];
    if (source?.length !== vector.length)
      throw new Fault(
        'invalid',
        `${name} has ${source?.length ?? 0} elements, the model has ${vector.length}`,
        { field: name },
      );
    vector.set(source);
  }
}
