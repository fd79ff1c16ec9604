/** What people did to a job: `jobs/<id>/control/<seq>.json`, a dense create-only sequence. */
import { z } from 'zod';
import { LimitFields } from './limits.ts';
import { JobId, Timestamp, V1 } from './primitives.ts';

const Of = { v: V1, job: JobId, at: Timestamp };

export const JobControl = z.discriminatedUnion('action', [
  /** Nothing of the job is announced or begun any more; what runs may finish. */
  z.strictObject({ ...Of, action: z.literal('pause') }),
  z.strictObject({ ...Of, action: z.literal('resume') }),
  /** A job that failed or was stopped goes on, as its next run; limits given here replace the spec's. */
  z.strictObject({ ...Of, action: z.literal('redrive'), ...LimitFields }),
]);
export type JobControl = z.infer<typeof JobControl>;
