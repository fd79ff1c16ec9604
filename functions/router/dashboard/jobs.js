/** Reads the jobs, and follows the one that is shown: by its event stream until it ends. */
import { Refusal, ask, read } from './api.js';
import { say } from './dom.js';
import { eventsOf } from './events.js';
import { announcement } from './job-words.js';
import { isListed, known, tell } from './state.js';
/** @import { JobView, ListedJob } from './types.ts' */

const RETRY_MS = 2_000;
/** A stream may end before its job: the jobs API closes each after a while. */
const STREAM_AGAIN_MS = 250;
/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let stop = new AbortController();
/** @type {Map<string, string>} */
const statuses = new Map();

/** The job that the address names. */
export const chosen = () => location.hash.match(/^#(job_[0-9a-z]+)$/)?.[1];

/** Aborted when another job is shown. */
export const followed = () => stop.signal;

export async function lookAtJobs() {
  known.jobs = (await read('/v1/jobs')).jobs;
  known.isRead.jobs = true;
  for (const job of known.jobs) noticeStatus(job);
  const busy = ['running', 'queued'].flatMap((status) => known.jobs.filter((job) => job.status === status));
  follow(chosen() ?? busy[0]?.job ?? known.jobs[0]?.job);
  tell('jobs');
}

/** @param {ListedJob} job */
function noticeStatus(job) {
  const before = statuses.get(job.job);
  statuses.set(job.job, job.status);
  if (before === undefined || before === job.status) return;
  say(announcement(job));
  if (job.result !== null) tell('refresh');
}

/** @param {string | undefined} job */
export function follow(job) {
  if (job === known.following) return;
  stop.abort();
  stop = new AbortController();
  known.following = job;
  known.jobFault = null;
  tell('following');
  if (job !== undefined) void watch(job, stop.signal);
}

/**
 * An ended job is read once; another is followed by its event stream, again and again until it ends.
 * @param {string} job
 * @param {AbortSignal} signal
 */
async function watch(job, signal) {
  while (!signal.aborted) {
    try {
      show(await (await ask(`/v1/jobs/${job}`, signal)).json(), signal);
      while (!signal.aborted && known.job?.result === null) {
        await stream(job, signal);
        await pause(STREAM_AGAIN_MS);
      }
      return;
    } catch (thrown) {
      if (signal.aborted) return;
      if (thrown instanceof Refusal && thrown.status === 404 && !isListed(job)) return forget(job);
      // A stream that broke off goes on; a router that is gone, or asks for a token, is said by the list of jobs.
      const isOwn = thrown instanceof Refusal && ![0, 401, 403].includes(thrown.status);
      known.jobFault = isOwn ? thrown.message : null;
      tell('following');
      await pause(RETRY_MS);
    }
  }
}

/** There is no such job: the address is as if it had not named it. @param {string} job */
function forget(job) {
  if (chosen() === job) history.replaceState(null, '', location.pathname);
  say(`There is no job ${job}`);
  follow(known.jobs[0]?.job);
}

/** @param {string} job @param {AbortSignal} signal */
async function stream(job, signal) {
  const response = await ask(`/v1/jobs/${job}/events`, signal);
  for await (const { event, data } of eventsOf(response))
    if (event === 'progress') show(JSON.parse(data), signal);
}

/** @param {JobView} job @param {AbortSignal} signal */
function show(job, signal) {
  if (signal.aborted) return;
  known.job = job;
  known.jobAt = performance.now();
  known.jobFault = null;
  known.jobs = known.jobs.map((each) => (each.job === job.job ? job : each));
  noticeStatus(job);
  tell('job');
}
