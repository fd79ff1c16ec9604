import { Hono } from 'hono';
import { boundedMap } from '../../core/bounded-map.ts';
import { type JobList, JobListQuery, type JobView, LISTED_JOBS } from '../../core/contracts/job.ts';
import { parse } from '../../core/contracts/parse.ts';
import { JobId } from '../../core/contracts/primitives.ts';
import { TimelineQuery } from '../../core/contracts/timeline.ts';
import { jobResultKey } from '../../core/contracts/keys.ts';
import { errorBody, Fault } from '../../core/errors.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { UNTOUCHED } from '../../core/jobs/control.ts';
import { forEachJob, type JobFault } from '../../core/jobs/each.ts';
import { jobIdFrom } from '../../core/jobs/id.ts';
import { inForce } from '../../core/jobs/limits.ts';
import { type JobMemory, lookAtJob, rememberJob } from '../../core/jobs/look.ts';
import { newestJobs } from '../../core/jobs/view.ts';
import { putJson } from '../../core/storage/json.ts';
import { timelineOf } from '../../core/timeline/timeline.ts';
import type { ApiContext } from './context.ts';
import { type Acted, JOB_ACTIONS, type JobAction } from './job-actions.ts';
import { jobEvents } from './events.ts';
import { jsonBody } from './json-body.ts';
import type { ApiEnvironment } from './request-log.ts';

/** Histories of jobs a warm function keeps, so that each look reads only what is new. */
const KEPT_HISTORIES = 200;

export function jobRoutes(context: ApiContext): Hono<ApiEnvironment> {
  const { store, queue, now } = context;
  const histories = boundedMap<JobMemory>(KEPT_HISTORIES);

  const look = async <Seen>(
    job: string,
    how: (memory: JobMemory) => Promise<Seen | undefined>,
  ): Promise<Seen> => {
    const known = histories.get(job);
    const history =
      known ?? (JobId.safeParse(job).success ? await rememberJob(store, job, context.prices) : undefined);
    const found = history && (await how(history));
    if (history === undefined || found === undefined)
      throw new Fault('not_found', `no job ${job}`, { field: 'job' });
    histories.set(job, history);
    return found;
  };
  const view = (job: string): Promise<JobView> => look(job, (memory) => lookAtJob(store, job, now(), memory));

  return new Hono<ApiEnvironment>()
    .get('/', async (c) => {
      const { limit = LISTED_JOBS } = parse<JobListQuery>(JobListQuery, c.req.query());
      const newest = await newestJobs(store, limit);
      const jobs = new Map<string, JobView>();
      const faults = await forEachJob(newest, async (job) => void jobs.set(job, await view(job)));
      // Specs and index expire each by a rule of its own: what is not found is no job any more.
      const unreadable = faults.filter(({ thrown }) => !isNotFound(thrown));
      if (unreadable[0] !== undefined) c.set('omitted', unreadable[0].thrown);
      const list: JobList = {
        jobs: newest.flatMap((job) => jobs.get(job) ?? []).map(listed),
        ...(unreadable.length === 0 ? {} : { unreadable: unreadable.map(told) }),
      };
      return c.json(list);
    })
    .post('/', async (c) => {
      const spec = await jsonBody(c.req);
      const key = c.req.header('idempotency-key');
      const job = key === undefined ? context.newJobId() : await jobIdFrom(key);
      await acceptJob(store, queue, spec, { job, now: now(), traceparent: c.get('traceparent') });
      c.set('startedJob', job);
      return c.json(await view(job), 202, { location: `/v1/jobs/${job}` });
    })
    .get('/:job', async (c) => c.json(await view(c.req.param('job'))))
    .delete('/:job', async (c) => {
      const job = c.req.param('job');
      const { status } = await view(job);
      if (status === 'queued' || status === 'running' || status === 'paused') {
        const { run } = actedOn(histories.get(job)).control;
        const cancelled = { v: 1, job, status: 'cancelled', endedAt: now().toISOString() };
        await putJson(store, jobResultKey(job, run), cancelled, 'create');
      }
      // Cancelling what has ended changes nothing: the answer says how it ended.
      return c.json(await view(job));
    })
    .post('/:job/:action', async (c) => {
      const { job, action } = c.req.param();
      const act = actionOf(action);
      const seen = await view(job);
      await act(context, seen, actedOn(histories.get(job)), await jsonBody(c.req));
      return c.json(await view(job));
    })
    .get('/:job/events', async (c) => {
      const job = c.req.param('job');
      await view(job);
      return jobEvents(c, () => view(job), context);
    })
    .get('/:job/timeline', async (c) => {
      const job = c.req.param('job');
      const query = parse<TimelineQuery>(TimelineQuery, c.req.query());
      return c.json(await look(job, (memory) => timelineOf(store, job, now(), memory, query)));
    });
}

const isNotFound = (thrown: unknown) => thrown instanceof Fault && thrown.code === 'not_found';

/** The fault of one job as a client may see it. */
function told({ job, thrown }: JobFault): NonNullable<JobList['unreadable']>[number] {
  const { error, code } = errorBody(thrown).body;
  return { job, error, code };
}

function actedOn(memory: JobMemory | undefined): Acted {
  const control = memory?.history.control ?? UNTOUCHED;
  const accepted = memory?.kind === 'train' ? memory.history.accepted : memory?.accepted;
  return { control, limits: accepted === undefined ? {} : inForce(accepted, control).limits };
}

function actionOf(name: string): JobAction {
  const names = Object.keys(JOB_ACTIONS);
  if (!names.includes(name))
    throw new Fault('not_found', `no action ${name}: there are ${names.join(', ')}`, { field: 'action' });
  return JOB_ACTIONS[name as keyof typeof JOB_ACTIONS];
}

/** Without what only the page of the one job shows. */
function listed(job: JobView): JobList['jobs'][number] {
  if (job.kind !== 'train') return job;
  const { history: _history, ...rest } = job;
  return rest;
}
