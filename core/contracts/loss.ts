/** What a training job minimises: a loss by name, added to a graph that only predicts. */
import { z } from 'zod';
import { Name } from './primitives.ts';

const ComparedWithTarget = {
  /** A graph output `[batch, …]`: what the model predicts. */
  output: z.string().min(1).max(256),
  /** The dataset tensor with the truth. */
  target: Name,
  /**
   * A dataset tensor with a weight for each element the loss counts (a row, a token, a pixel): booleans, or numbers
   * of at least 0. The loss is the weighted mean. Left out: all count as one.
   */
  mask: Name.optional(),
};

/**
 * Losses are means over the elements they count. The `output` of a classification may be logits or the probabilities
 * a final Softmax or Sigmoid makes of them: the logits behind it are used then.
 */
export const LossSpec = z.discriminatedUnion('kind', [
  z.strictObject({
    /**
     * −log of the probability of the right class, over the last axis of `output` `[batch, …, classes]`. The target is
     * class ids `[…]` of an integer type, or probabilities `[…, classes]`.
     */
    kind: z.literal('softmax-cross-entropy'),
    ...ComparedWithTarget,
    /** Elements with this class id are not counted. */
    ignoreIndex: z.int().optional(),
  }),
  z.strictObject({
    /** For each element by itself: 0, 1 or a probability between them. */
    kind: z.literal('binary-cross-entropy'),
    ...ComparedWithTarget,
  }),
  z.strictObject({
    kind: z.literal('mean-squared-error'),
    ...ComparedWithTarget,
  }),
  z.strictObject({
    /** Huber (1964): half the squared error up to `delta`, linear beyond. */
    kind: z.literal('huber'),
    ...ComparedWithTarget,
    delta: z.number().positive().default(1),
  }),
  z.strictObject({
    /** The model computes its loss itself: a scalar graph output, the mean over the rows of the batch. */
    kind: z.literal('output'),
    output: z.string().min(1).max(256),
  }),
]);
export type LossSpec = z.infer<typeof LossSpec>;
export type LossKind = LossSpec['kind'];
/** The spec of one kind of loss. */
export type LossOf<K extends LossKind> = Extract<LossSpec, { kind: K }>;
