/** What the timeline tells of a job: the API and the handlers, in virtual time. */
import { describe, expect, test } from 'vitest';
import type { Task } from '../../../core/contracts/task.ts';
import { roundCommitKey, shardPartKey, shardUpdateKey } from '../../../core/contracts/keys.ts';
import { TrainTimeline } from '../../../core/contracts/timeline.ts';
import { apiBeside } from './api.ts';
import { clockwork, type ClockworkOptions, MERGED_BY_MESSAGE } from './clockwork.ts';
import { JOB, START } from './world.ts';

const isShard = (task: Task, shard: number) => task.kind === 'shard' && task.shard === shard;
/** Rows 3 of 12: in the second of four shards. */
const POISON = Math.fround(3 / 7);
const after = (seconds: number) => new Date(START + seconds * 1000).toISOString();

async function withApi(options: ClockworkOptions = {}) {
  const job = await clockwork({ ...options, context: { place: 'fleet-1', ...options.context } });
  const api = apiBeside(job);
  const ask = async (query = '', id = JOB) => {
    const response = await api.request(`/v1/jobs/${id}/timeline${query}`);
    const body: unknown = await response.json();
    return { status: response.status, body };
  };
  return { ...job, ask, timeline: async (query = '') => TrainTimeline.parse((await ask(query)).body) };
}

describe('a training job', () => {
  test('is told round by round: where each shard ran and when, the merge, the commit', async () => {
    const job = await withApi(MERGED_BY_MESSAGE);
    await job.run();
    const timeline = await job.timeline();
    expect(timeline).toMatchObject({
      job: JOB,
      kind: 'train',
      status: 'succeeded',
      acceptedAt: after(0),
      shards: 2,
      rounds: 2,
      begun: 2,
      overlap: 1,
      first: 0,
    });
    const commits = [await job.commit(0), await job.commit(1)];
    for (const [round, told] of timeline.page.entries()) {
      expect(told).toMatchObject({
        round,
        announcedAt: round === 0 ? timeline.plannedAt : commits[0]?.committedAt,
        committedAt: commits[round]?.committedAt,
        mergers: 1,
      });
      expect(told.mergeSeconds).toBeCloseTo(0.1, 6);
      for (const [shard, each] of told.shards.entries()) {
        const startedAt = commits[round]?.shards[shard]?.startedAt;
        expect(each).toEqual({
          shard,
          state: 'done',
          ran: [{ startedAt, seconds: 0.1, place: 'fleet-1' }],
          samples: 12,
        });
      }
    }
    expect(timeline.endedAt).toBe((await job.result())?.endedAt);
  });

  test('has nothing to show before its plan', async () => {
    const job = await withApi();
    expect(await job.timeline()).toMatchObject({ status: 'queued', begun: 0, rounds: 0, page: [] });
  });

  test('under way: what is there, and what is open', async () => {
    const job = await withApi();
    await job.run(async () => (await job.store.head(shardUpdateKey(JOB, 0, 0))) !== undefined);
    const { status, begun, page } = await job.timeline();
    expect([status, begun]).toEqual(['running', 1]);
    expect(page[0]).not.toHaveProperty('committedAt');
    expect(page[0]?.shards).toMatchObject([
      { state: 'done', ran: [{ seconds: 0.1, place: 'fleet-1' }], writtenAt: expect.any(String) },
      { state: 'open', ran: [] },
    ]);
    // What was asked for once is not asked for again.
    const { head } = job.store.calls;
    await job.timeline();
    expect(job.store.calls.head).toBe(head);
    await job.run();
    expect((await job.timeline()).page).toHaveLength(2);
  });

  test('a shard that is handed on is a bar after the other, also while it goes on', async () => {
    const job = await withApi({
      spec: { epochs: 24, strategy: { kind: 'local-sgd', localSteps: 12 } },
      delivery: (task) => {
        let ms = 13_000;
        return task.kind === 'shard' ? { remainingMs: () => (ms -= 1_000) } : {};
      },
    });
    await job.run(async () => (await job.store.head(shardPartKey(JOB, 0, 0, 2))) !== undefined);
    const going = (await job.timeline()).page[0]?.shards[0];
    expect(going).toMatchObject({ state: 'open', ran: [{ place: 'fleet-1' }, { place: 'fleet-1' }] });

    await job.run();
    const { page } = await job.timeline();
    for (const { shards, committedAt } of page)
      for (const { state, ran } of shards) {
        expect(state).toBe('done');
        expect(ran.length).toBeGreaterThanOrEqual(3);
        const ends = ran.map(({ startedAt, seconds }) => Date.parse(startedAt) + seconds * 1000);
        const starts = ran.map(({ startedAt }) => Date.parse(startedAt));
        expect(starts.slice(1).every((start, i) => start >= ends[i]! - 1)).toBe(true);
        expect(ends.at(-1)).toBeLessThanOrEqual(Date.parse(committedAt ?? ''));
      }
    expect(page[0]?.shards[0]?.ran.slice(0, 2)).toEqual(going?.ran);
  });

  test('which update a backup copy wrote, and which a later delivery', async () => {
    let copies = 0;
    const slow = await withApi({
      spec: { shards: 4 },
      dies: (task) => isShard(task, 1) && copies++ === 0,
    });
    await slow.run();
    const rounds = (await slow.timeline()).page;
    expect(rounds[0]?.shards.map(({ ran }) => ran.map(({ copy }) => copy))).toEqual([
      [undefined],
      [1],
      [undefined],
      [undefined],
    ]);

    let deaths = 0;
    const patient = await withApi({
      // No watch looks before the queue delivers it again.
      context: { watchSeconds: 600 },
      dies: (task) => isShard(task, 0) && task.kind === 'shard' && deaths++ === 0,
    });
    await patient.run();
    const told = (await patient.timeline()).page[0]?.shards[0];
    expect(told?.ran).toMatchObject([{ attempt: 2, seconds: 0.1 }]);
  });

  test('which shards a round closed without, and why', async () => {
    const dead = await withApi({ spec: { shards: 4, quorum: 3 }, dies: (task) => isShard(task, 2) });
    await dead.run();
    for (const { shards } of (await dead.timeline()).page)
      expect(shards.map(({ state, ran }) => [state, ran.length])).toEqual([
        ['done', 1],
        ['done', 1],
        ['missing', 0],
        ['done', 1],
      ]);

    const poisoned = await withApi({ spec: { shards: 4, quorum: 3 }, broken: POISON });
    await poisoned.run();
    const told = (await poisoned.timeline()).page[0]?.shards[1];
    expect(told).toMatchObject({ state: 'lost', reason: expect.stringContaining('the loss is NaN') });

    // An update that comes when the round is closed counts for nothing.
    const update = (await dead.store.get(shardUpdateKey(JOB, 0, 1)))!;
    await dead.store.put(shardUpdateKey(JOB, 0, 2), update.body, { metadata: update.metadata ?? {} });
    const late = (await dead.timeline('?first=0&limit=1')).page[0]?.shards[2];
    expect(late).toMatchObject({ state: 'late', ran: [{ seconds: 0.1 }] });
  });

  test('rounds that overlap are announced when as many are left as may be under way', async () => {
    const job = await withApi({
      spec: { epochs: 8, strategy: { kind: 'bounded-staleness', localSteps: 2, staleness: 1 } },
    });
    await job.run();
    const { page, overlap, plannedAt } = await job.timeline();
    expect([overlap, page.length]).toEqual([2, 4]);
    const announced = page.map(({ announcedAt }) => announcedAt);
    expect(announced).toEqual([plannedAt, plannedAt, page[0]?.committedAt, page[1]?.committedAt]);
  });

  test('comes by the page, the newest unless asked, and never more than a bounded one', async () => {
    const job = await withApi({ spec: { epochs: 40 } });
    await job.run();
    const rounds = async (query: string) => (await job.timeline(query)).page.map(({ round }) => round);
    expect((await job.timeline()).rounds).toBe(20);
    expect(await rounds('')).toEqual(Array.from({ length: 16 }, (_, i) => i + 4));
    expect(await rounds('?limit=3')).toEqual([17, 18, 19]);
    expect(await rounds('?first=2&limit=3')).toEqual([2, 3, 4]);
    expect(await rounds('?first=19')).toEqual([19]);
    expect(await rounds('?first=400')).toEqual([]);
    expect(await rounds('?limit=1000')).toHaveLength(20);
  });

  test.each([
    ['?limit=0', 'limit', 'limit: must be a whole number of 1 to 1000'],
    ['?limit=1001', 'limit', 'limit: must be a whole number of 1 to 1000'],
    ['?limit=', 'limit', 'limit: must be a whole number of 1 to 1000'],
    ['?first=-1', 'first', 'first: must be a whole number of 0 to 999999999'],
    ['?first=1e3', 'first', 'first: must be a whole number of 0 to 999999999'],
    ['?rounds=3', 'rounds', 'rounds: unknown field'],
  ])('is not asked for by %s', async (query, field, error) => {
    const job = await withApi();
    expect(await job.ask(query)).toEqual({ status: 400, body: { error, code: 'invalid', field } });
  });

  test('that is not there is not found', async () => {
    const job = await withApi();
    for (const id of ['job_99999999', 'nobody'])
      expect(await job.ask('', id)).toMatchObject({ status: 404, body: { field: 'job' } });
  });

  test('reads of rounds that closed with all their shards nothing but the commit', async () => {
    const job = await withApi();
    await job.run();
    await job.timeline();
    const seen: string[] = [];
    job.store.before = (operation, key) => void seen.push(`${operation} ${key}`);
    await job.timeline();
    expect(seen.filter((each) => each.includes('/rounds/'))).toEqual([]);
    expect(await job.store.head(roundCommitKey(JOB, 1))).toBeDefined();
  });
});
