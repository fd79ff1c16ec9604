/** The jobs API beside a job in virtual time. */
import { createApi } from '../../../cloud/api/app.ts';
import type { ApiContext } from '../../../cloud/api/context.ts';
import type { clockwork } from './clockwork.ts';
import { JOB, NO_DEPTHS } from './world.ts';

type Job = Awaited<ReturnType<typeof clockwork>>;

export const apiBeside = (job: Pick<Job, 'store' | 'queue' | 'now'>, given: Partial<ApiContext> = {}) =>
  createApi({
    store: job.store,
    queue: job.queue,
    deadLetters: { exhume: () => Promise.resolve(0) },
    depths: NO_DEPTHS,
    now: () => new Date(job.now()),
    newJobId: () => JOB,
    authorize: () => Promise.resolve(),
    wait: () => Promise.resolve(),
    ...given,
  });
