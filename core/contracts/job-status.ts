import { z } from 'zod';

/** Of a job of any kind. */
export const JobStatus = z.enum([
  'queued',
  'running',
  'paused',
  'succeeded',
  'failed',
  'stopped',
  'cancelled',
]);
export type JobStatus = z.infer<typeof JobStatus>;
