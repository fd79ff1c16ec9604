/** How long a job may run and what it may spend. */
import { z } from 'zod';

/** Fields of every kind of job's spec. */
export const LimitFields = {
  /** Seconds after acceptance (or after it was redriven) at which the job stops. */
  deadlineSeconds: z.int().min(1).max(31_536_000).optional(),
  /** The job stops when one of them is spent. */
  budget: z
    .strictObject({
      functionSeconds: z.number().positive().optional(),
      /** To the queue and the bucket, and invocations. */
      requests: z.int().min(1).optional(),
      dollars: z.number().positive().optional(),
    })
    .optional(),
};

export const Limits = z.strictObject(LimitFields);
export type Limits = z.infer<typeof Limits>;

export const LimitName = z.enum(['deadline', 'functionSeconds', 'requests', 'dollars']);
export type LimitName = z.infer<typeof LimitName>;
