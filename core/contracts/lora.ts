/** What is asked of a fine-tuning with low-rank adapters (Hu et al. 2021, arXiv:2106.09685). */
import { z } from 'zod';
import { Pattern } from './primitives.ts';

/** For each targeted weight W the update `(alpha / rank) · A · B` is trained, and W itself stays as it is. */
export const LoraSpec = z.strictObject({
  /** Columns of A and rows of B. */
  rank: z.int().min(1).max(1024),
  alpha: z.number().positive(),
  /** Which weights of MatMul and Gemm: a weight is targeted where one of the patterns matches its name. */
  target: z.array(Pattern).min(1).default(['*']),
});
export type LoraSpec = z.infer<typeof LoraSpec>;
