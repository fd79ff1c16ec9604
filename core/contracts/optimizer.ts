/** How parameters are updated: the optimizer, and its learning rate over the job. The rules: core/optimizers. */
import { z } from 'zod';

const learningRate = (usual: number) => z.number().positive().max(10).default(usual);
const weightDecay = (usual: number) => z.number().min(0).max(1).default(usual);
/** How much of a moving average stays at each step. */
const beta = (usual: number) => z.number().min(0).lt(1).default(usual);

/** Added where a root may be zero; not so small that float32 makes it zero too. */
const epsilon = (usual: number) => z.number().min(1e-37).default(usual);

/** Adam (arXiv:1412.6980): its weight decay is L2 regularization; AdamW's (arXiv:1711.05101) is decoupled. */
const adam = { beta1: beta(0.9), beta2: beta(0.999), epsilon: epsilon(1e-8) };

export const OptimizerSpec = z.discriminatedUnion('kind', [
  /** Momentum: Polyak 1964; with `nesterov` looking ahead: Sutskever et al. 2013. */
  z
    .strictObject({
      kind: z.literal('sgd'),
      learningRate: learningRate(1e-2),
      momentum: beta(0),
      nesterov: z.boolean().default(false),
      weightDecay: weightDecay(0),
    })
    .refine(({ nesterov, momentum }) => !nesterov || momentum > 0, {
      path: ['nesterov'],
      message: 'needs a momentum above 0',
    }),
  z.strictObject({
    kind: z.literal('adam'),
    learningRate: learningRate(1e-3),
    ...adam,
    weightDecay: weightDecay(0),
  }),
  z.strictObject({
    kind: z.literal('adamw'),
    learningRate: learningRate(1e-3),
    ...adam,
    weightDecay: weightDecay(1e-2),
  }),
  /** Duchi, Hazan & Singer 2011. */
  z.strictObject({
    kind: z.literal('adagrad'),
    learningRate: learningRate(1e-2),
    epsilon: epsilon(1e-10),
    weightDecay: weightDecay(0),
  }),
  /** Chen et al. 2023, arXiv:2302.06675; wants a rate 3 to 10 times smaller than AdamW's, and more decay. */
  z.strictObject({
    kind: z.literal('lion'),
    learningRate: learningRate(1e-4),
    beta1: beta(0.9),
    beta2: beta(0.99),
    weightDecay: weightDecay(0),
  }),
]);
export type OptimizerSpec = z.infer<typeof OptimizerSpec>;

/** Optimizer steps before which the rate rises linearly to its base; the decay begins after them. */
const warmupSteps = z.int().min(0).max(10_000_000).default(0);
/** Where the decay ends, at the last step, as a fraction of the base. */
const floor = z.number().min(0).max(1).default(0);

const Schedule = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), warmupSteps }),
  z.strictObject({ kind: z.literal('linear'), warmupSteps, floor }),
  z.strictObject({ kind: z.literal('cosine'), warmupSteps, floor }),
  /** Times `factor` after every `every` steps. */
  z.strictObject({
    kind: z.literal('step'),
    warmupSteps,
    every: z.int().min(1),
    factor: z.number().positive().max(1),
  }),
]);
export type ScheduleSpec = z.infer<typeof Schedule>;

/** A kind alone stands for its object: `"cosine"` for `{"kind": "cosine"}`. */
export type ScheduleRequest = z.input<typeof Schedule> | 'constant' | 'linear' | 'cosine';

// The preprocessing takes anything: the type says what the schema behind it lets pass.
export const ScheduleSpec = z.preprocess(
  (value) => (typeof value === 'string' ? { kind: value } : value),
  Schedule,
) as unknown as z.ZodType<ScheduleSpec, ScheduleRequest>;

/** Everything there is to say about the steps of an optimizer, as part of a training job's spec. */
export const OptimizationFields = {
  optimizer: OptimizerSpec.prefault({ kind: 'adam' }),
  schedule: ScheduleSpec.prefault('constant'),
  /** Gradients whose norm over all parameters is larger are scaled down to it (Pascanu et al. 2013, arXiv:1211.5063). */
  clipNorm: z.number().positive().optional(),
  /** Batches whose mean gradient makes one optimizer step. */
  accumulate: z.int().min(1).max(65_536).default(1),
};
