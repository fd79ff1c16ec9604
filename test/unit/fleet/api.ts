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

/** The same as one job's clients ask it. `exhumed`: jobs whose dead letters were taken out. */
export function asking<View>(job: Job, viewOf: (answer: unknown, path: string) => View) {
  const exhumed: string[] = [];
  const api = apiBeside(job, {
    deadLetters: {
      exhume: (id) => {
        exhumed.push(id);
        return Promise.resolve(job.dead.splice(0).length);
      },
    },
  });
  const ask = async (method: string, path = '', body: unknown = {}) => {
    const response = await api.request(`/v1/jobs/${JOB}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    return { status: response.status, answer, view: response.ok ? viewOf(answer, path) : undefined };
  };
  return { ask, exhumed };
}
