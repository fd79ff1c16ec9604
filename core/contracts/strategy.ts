/** How shards work together, and how what they send is made smaller. The rules: core/strategies, core/compression. */
import { z } from 'zod';

/** Optimizer steps between two meetings. */
const localSteps = z.int().min(1).max(100_000).default(64);

/**
 * Merge tasks of a round, each of which owns a slice of the flat parameter vector and reads and writes nothing but
 * that (scatter-reduce): for models that one function cannot merge in its time or memory.
 */
const mergers = z.int().min(1).max(256).default(1);

/** Whose learning rate is not the job's: it is applied to the mean change of a round. */
const outerRate = z.number().positive().max(10);
const outerMomentum = z.number().min(0).lt(1);

export const StrategySpec = z.discriminatedUnion('kind', [
  /**
   * Synchronous data parallelism: in each round every shard sends the gradient of one step, and the merge takes the
   * optimizer's step with their mean. One machine with batches as large as all the shards' together does the same.
   */
  z.strictObject({ kind: z.literal('all-reduce'), mergers }),
  /**
   * Local SGD (Stich 2019, arXiv:1805.09767): in each round every shard takes `localSteps` optimizer steps on its own
   * rows, then parameters are averaged. So is the optimizer's state, or it begins each round anew, with zeros.
   */
  z.strictObject({
    kind: z.literal('local-sgd'),
    localSteps,
    optimizerState: z.enum(['average', 'reset']).default('average'),
    mergers,
  }),
  /**
   * DiLoCo (Douillard et al. 2023, arXiv:2311.08105): the mean change of a round is the gradient of an outer step with
   * Nesterov momentum. The inner optimizer begins each round anew.
   */
  z.strictObject({
    kind: z.literal('diloco'),
    localSteps,
    outer: z
      .strictObject({ learningRate: outerRate.default(0.7), momentum: outerMomentum.default(0.9) })
      .prefault({}),
    mergers,
  }),
  /**
   * Rounds overlap: the shards of a round start from the state of `staleness` rounds before the newest that a
   * synchronous round would wait for. A slow shard holds up nobody until it is that many rounds behind, which is the
   * bound of stale synchronous parallelism (Ho et al. 2013); each reads the oldest state the bound allows, so that the
   * result does not depend on who was quick.
   */
  z.strictObject({
    kind: z.literal('bounded-staleness'),
    localSteps,
    staleness: z.int().min(1).max(16).default(1),
    outer: z
      .strictObject({
        /** Left out: 1 / (staleness + 1), as the changes of so many rounds are under way at a time. */
        learningRate: outerRate.optional(),
        momentum: outerMomentum.default(0),
      })
      .prefault({}),
    mergers,
  }),
]);
export type StrategySpec = z.infer<typeof StrategySpec>;

/** How a number travels. `fp16`: IEEE 754 binary16 and a scale. `int8`: 8-bit integers and a scale for each 256. */
export const Precision = z.enum(['fp32', 'fp16', 'int8']);
export type Precision = z.infer<typeof Precision>;

export const CompressionSpec = z.strictObject({
  /** Of what shards send. */
  values: Precision.default('fp32'),
  /** Sends only the elements that are largest in magnitude. */
  topK: z
    .strictObject({
      fraction: z.number().positive().max(1).default(0.01),
      /**
       * The shards apply the momentum that the merge would, each to its own changes before it selects from them, and
       * drop it where they sent (Lin et al. 2018, arXiv:1712.01887). Left out: where there is a momentum.
       */
      momentumCorrection: z.boolean().optional(),
    })
    .optional(),
  /**
   * Each shard adds to its next change what the last one lost (Seide et al. 2014; Karimireddy et al. 2019,
   * arXiv:1901.09847). Functions keep nothing, so this travels too. Left out: with `int8` and with `topK`.
   */
  errorFeedback: z.boolean().optional(),
  /** Of the parameters that shards start from. The state itself is kept in float32. */
  download: Precision.default('fp32'),
});
export type CompressionSpec = z.infer<typeof CompressionSpec>;
