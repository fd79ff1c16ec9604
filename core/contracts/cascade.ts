/**
 * A confidence cascade, in a release or in a request's header: the model answers at the edge, and the rows it is not
 * sure of are asked of a larger model in the cloud. See docs/cascade.md.
 */
import { z } from 'zod';
import { Name, Ordinal } from './primitives.ts';

/** What tells hard rows from easy ones; core/routing/cascade/filters.ts has what each computes. */
export const FILTER_NAMES = ['threshold', 'margin', 'entropy'] as const;
export type FilterName = (typeof FILTER_NAMES)[number];

/** What the judged output holds: probabilities, or what a softmax makes probabilities of (log-probabilities, too). */
export const SCORES = ['probabilities', 'logits'] as const;

export const CascadeSpec = z.strictObject({
  filter: z.enum(FILTER_NAMES).default('threshold'),
  /** Rows whose confidence is below it are hard. Every filter's confidence goes from 0, unsure, to 1. */
  threshold: z.number().min(0).max(1),
  /** Of the model, `[rows, classes]`. Left out: its only output. */
  output: z.string().min(1).max(256).optional(),
  scores: z.enum(SCORES).default('probabilities'),
  /**
   * Takes the same inputs and has the same outputs. Left out: the same model as the cloud serves it, with 32-bit weights
   * where the edge has 8-bit ones. Without a version: what its stable channel points to.
   */
  large: z.strictObject({ model: Name, version: Ordinal.optional() }).optional(),
});
/** As it is written: what has a default may be left out. */
export type CascadeRequest = z.input<typeof CascadeSpec>;
export type CascadeSpec = z.infer<typeof CascadeSpec>;
