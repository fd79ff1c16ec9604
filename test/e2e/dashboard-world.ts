/** A router to look at: whatever it answers has passed the contract's schema, so the page is never held to less. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { JobList, JobView } from '../../core/contracts/job.ts';
import { ModelList, type Release, ReleaseList } from '../../core/contracts/release.ts';
import { RoutingView, type TargetView } from '../../core/contracts/routing.ts';
import { parse } from '../../core/contracts/parse.ts';
import { JobTimeline, TIMELINE_PAGE, TimelineQuery } from '../../core/contracts/timeline.ts';
import { type ErrorBody, Fault, type FaultCode, FAULTS } from '../../core/errors.ts';
import { pageOf } from '../../core/timeline/page.ts';
import { dashboardServer } from './dashboard-files.ts';

/** What the router answers next; a test changes it while the page looks. */
export interface World {
  jobs: JobView[];
  /** Whole, by job; cut to the page that is asked for. */
  timelines: Record<string, JobTimeline>;
  releases: Release[];
  channels: Record<string, number>;
  routing: RoutingView;
  /** Path prefix → the fault it answers instead. */
  readonly faults: Map<string, { code: FaultCode; message: string }>;
  /** Asked of every `/v1` path where set. */
  token?: string;
}

export interface WorldServer {
  readonly url: string;
  /** Puts the job among the world's, and sends it to whoever follows it. */
  publish(job: JobView): void;
  /** Times the path was asked for. */
  asked(path: string): number;
  /** Answers that did not pass their schema: the world is wrong, not the page. */
  readonly violations: readonly string[];
  stop(): Promise<void>;
}

/** Serves the page under its policy, and the world behind it. */
export async function serveWorld(world: World): Promise<WorldServer> {
  const answerDashboard = await dashboardServer();
  const followers = new Map<string, Set<ServerResponse>>();
  const counts = new Map<string, number>();
  const violations: string[] = [];

  function send(response: ServerResponse, job: JobView): void {
    response.write(`event: progress\ndata: ${JSON.stringify(JobView.parse(job))}\n\n`);
    if (job.result !== null) response.end(`event: done\ndata: ${JSON.stringify(job.result)}\n\n`);
  }
  function follow(response: ServerResponse, job: JobView): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const those = followers.get(job.job) ?? new Set();
    followers.set(job.job, those.add(response));
    response.once('close', () => those.delete(response));
    send(response, job);
  }
  function jobOf(id: string | undefined): JobView {
    const job = world.jobs.find((each) => each.job === id);
    if (job === undefined) throw new Fault('not_found', `job: there is no ${id}`);
    return job;
  }
  function timelineOf(id: string | undefined, query: URLSearchParams): JobTimeline {
    const timeline = world.timelines[id ?? ''];
    if (timeline === undefined) throw new Fault('not_found', `job: there is no ${id}`);
    const total = timeline.page.length;
    const usual = timeline.kind === 'train' ? TIMELINE_PAGE.rounds : TIMELINE_PAGE.parts;
    const asked = parse<TimelineQuery>(TimelineQuery, Object.fromEntries(query));
    const { start, end } = pageOf(asked, { total, newest: total, most: total, usual });
    return JobTimeline.parse({ ...timeline, first: start, page: timeline.page.slice(start, end) });
  }
  function refuse(request: IncomingMessage, path: string): void {
    if (world.token !== undefined && request.headers.authorization !== `Bearer ${world.token}`)
      throw new Fault('unauthorized', 'authorization: a Bearer token is needed');
    for (const [prefix, { code, message }] of world.faults)
      if (path.startsWith(prefix)) throw new Fault(code, message);
  }

  /** A job as the list has it. */
  function summary(job: JobView): JobList['jobs'][number] {
    if (job.kind !== 'train') return job;
    const { history: _, ...rest } = job;
    return rest;
  }

  /** @returns the JSON to answer; undefined where the answer is a stream */
  function answer(request: IncomingMessage, response: ServerResponse, path: string): unknown {
    refuse(request, path);
    const [, , kind, name, part] = path.split('/');
    if (path === '/v1/routing') return RoutingView.parse(world.routing);
    if (path === '/v1/jobs') return JobList.parse({ jobs: world.jobs.map(summary) });
    if (kind === 'jobs' && part === 'events') {
      follow(response, jobOf(name));
      return undefined;
    }
    if (kind === 'jobs' && part === 'timeline')
      return timelineOf(name, new URL(request.url ?? '/', 'http://router').searchParams);
    if (kind === 'jobs') return JobView.parse(jobOf(name));
    if (path === '/v1/models') return ModelList.parse({ models: modelsOf(world) });
    if (kind === 'models' && part === 'releases')
      return ReleaseList.parse({ releases: world.releases.filter(({ model }) => model === name) });
    throw new Fault('not_found', `no such path: ${path}`);
  }

  const server = createServer((request, response) => void respond(request, response));
  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://router').pathname;
    counts.set(path, (counts.get(path) ?? 0) + 1);
    try {
      if (await answerDashboard(request, response)) return;
      const body = answer(request, response, path);
      if (body !== undefined) sendJson(response, 200, body);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) violations.push(`${path}: ${String(thrown)}`);
      const fault = thrown instanceof Fault ? thrown : new Fault('internal', 'internal error');
      sendJson(response, FAULTS[fault.code].status, {
        error: fault.message,
        code: fault.code,
      } satisfies ErrorBody);
    }
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    publish(job) {
      const isKnown = world.jobs.some((each) => each.job === job.job);
      world.jobs = isKnown
        ? world.jobs.map((each) => (each.job === job.job ? job : each))
        : [job, ...world.jobs];
      for (const follower of followers.get(job.job) ?? []) send(follower, job);
    },
    asked: (path) => counts.get(path) ?? 0,
    violations,
    async stop() {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function modelsOf({ releases, channels }: World): ModelList['models'] {
  const names = [...new Set(releases.map(({ model }) => model))];
  return names.map((name) => ({
    name,
    releases: releases.filter(({ model }) => model === name).length,
    channels,
  }));
}

const NO_TRAFFIC: TargetView = {
  configured: true,
  state: 'healthy',
  inFlight: 0,
  requests: 0,
  errors: 0,
  ewmaMs: null,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
};

/** A router just started: nothing trained, nothing routed. */
export const emptyWorld = (): World => ({
  jobs: [],
  timelines: {},
  releases: [],
  channels: {},
  routing: { targets: { edge: NO_TRAFFIC, cloud: NO_TRAFFIC }, recent: [] },
  faults: new Map(),
});
