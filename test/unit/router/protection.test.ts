/** The router under too much, or before targets that fail: refusals at once, bounded queues, a budget for retries. */
import { describe, expect, it } from 'vitest';
import { SAVED_RETRIES } from '../../../core/routing/retries.ts';
import { json, refuse, routerUnderTest, type RouterUnderTest } from './stand-ins.ts';

const TARGET = 'x-causeway-target';
const DEADLINE = 'x-causeway-deadline-ms';
const said = (response: Response) =>
  `${response.status} ${response.headers.get(TARGET)} ${response.headers.get('x-causeway-reason')}`;

/** Both have answered, the edge after 800 ms and the cloud after 2000. */
async function learned(router: RouterUnderTest): Promise<void> {
  const takes = (ms: number) => () => {
    router.pass(ms);
    return json({});
  };
  router.answers.edge = takes(800);
  router.answers.cloud = takes(2_000);
  for (const target of ['edge', 'cloud']) await router.infer({ [TARGET]: target });
}

describe('admission', () => {
  it('refuses at once what no target is predicted to answer in time, and says when to come again', async () => {
    const router = routerUnderTest();
    await learned(router);
    const asked = router.seen.edge.length + router.seen.cloud.length;
    const response = await router.infer({ [DEADLINE]: '500' });
    expect(said(response)).toBe('503 null late');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({
      code: 'unavailable',
      error: expect.stringMatching(/deadline/),
    });
    expect(router.seen.edge.length + router.seen.cloud.length).toBe(asked);
    expect(said(await router.infer({ [DEADLINE]: '20000' }))).toBe('200 edge edge-faster');
    expect((await router.infer({ [DEADLINE]: '1000', [TARGET]: 'cloud' })).status).toBe(503);
    expect(await (await router.ask('/metrics')).text()).toContain(
      'causeway_refused_total{status="503",reason="late"} 2',
    );
  });

  it('lets one a second find out: what was slow for a moment is not refused for long', async () => {
    const router = routerUnderTest();
    const slow = (ms: number) => () => {
      router.pass(ms);
      return json({});
    };
    const ask = () => router.infer({ [DEADLINE]: '2000', [TARGET]: 'cloud-only' });
    router.answers.cloud = slow(20);
    for (let i = 0; i < 40; i++) expect((await ask()).status).toBe(200);
    router.answers.cloud = slow(2_700);
    while ((await ask()).status === 200);
    router.answers.cloud = slow(20);
    const answers: string[] = [];
    // At 20 requests a second.
    for (let i = 0; i < 60; i++) {
      router.pass(50);
      answers.push(said(await ask()));
    }
    expect(answers[0]).toBe('503 null late');
    const first = answers.indexOf('200 cloud probe');
    expect(first).toBeLessThan(21);
    expect(new Set(answers.slice(first + 1))).toEqual(new Set(['200 cloud only-target']));
  });

  it('one that is late finds out about a target that was left alone, and no other is let through for that', async () => {
    const router = routerUnderTest();
    await learned(router);
    router.answers.edge = () => json({});
    for (let i = 0; i < 12; i++) {
      router.pass(1_000);
      await router.infer({ [TARGET]: 'edge' });
    }
    router.answers.edge = () => {
      router.pass(1_000);
      return json({});
    };
    for (let i = 0; i < 40; i++) await router.infer({ [TARGET]: 'edge' });
    let done = () => {};
    router.answers.cloud = () => new Promise((resolve) => (done = () => resolve(json({}))));
    const [edge, cloud] = [router.seen.edge.length, router.seen.cloud.length];
    const all = await Promise.all(Array.from({ length: 30 }, () => router.infer({ [DEADLINE]: '700' })));
    const count = (one: number) => all.filter(({ status }) => status === one).length;
    expect([count(503), count(504)]).toEqual([29, 1]);
    expect(all.find(({ status }) => status === 504)!.headers.get('server-timing')).toMatch(
      /cloud;dur=[67][\d.]+;desc="timeout, /,
    );
    expect([router.seen.edge.length - edge, router.seen.cloud.length - cloud]).toEqual([0, 1]);
    // It is let finish, and heard.
    router.pass(10);
    done();
    await expect
      .poll(async () => (await router.ask('/metrics')).text())
      .toContain('causeway_attempts_total{target="cloud",result="answered"} 2');
  });
});

it('a request that has no time left when it is there is told so: by its reason, its time, and in the metrics', async () => {
  const router = routerUnderTest();
  const response = await router.ask('/v2/models/m/infer', {
    method: 'POST',
    headers: { 'content-type': 'application/json', [DEADLINE]: '20' },
    body: new ReadableStream({
      pull(controller) {
        router.pass(50);
        controller.enqueue(new TextEncoder().encode('{}'));
        controller.close();
      },
    }),
    duplex: 'half',
  });
  expect(said(response)).toBe('504 null deadline');
  expect(response.headers.get('server-timing')).toMatch(/^route;dur=\d{2}[\d.]*$/);
  expect(await response.json()).toMatchObject({ code: 'deadline_exceeded', field: DEADLINE });
  expect(await (await router.ask('/metrics')).text()).toContain(
    'causeway_refused_total{status="504",reason="deadline"} 1',
  );
  expect([...router.seen.edge, ...router.seen.cloud]).toEqual([]);
});

describe('bounded queues', () => {
  /** Requests that are answered when the test says so. */
  function held(router: RouterUnderTest, target: 'edge' | 'cloud') {
    const gates: (() => void)[] = [];
    router.answers[target] = () => new Promise((resolve) => gates.push(() => resolve(json({ by: target }))));
    return gates;
  }
  const begun = async (gates: readonly unknown[], count: number) => {
    while (gates.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  it('a full target is passed by, and when all are full the next is refused at once', async () => {
    const router = routerUnderTest({ MAX_IN_FLIGHT: '2' });
    await router.infer({ [TARGET]: 'edge' });
    const [edge, cloud] = [held(router, 'edge'), held(router, 'cloud')];
    const there = [1, 2].map(() => router.infer({ [TARGET]: 'edge' }));
    await begun(edge, 2);
    const full = await router.infer({ [TARGET]: 'edge' });
    expect([said(full), full.headers.get('retry-after')]).toEqual(['503 null full', '1']);
    expect(await full.json()).toMatchObject({ code: 'unavailable', error: expect.stringMatching(/as many/) });
    const beside = [1, 2].map(() => router.infer());
    await begun(cloud, 2);
    expect(said(await router.infer())).toBe('503 null full');
    for (const open of [...edge, ...cloud]) open();
    expect((await Promise.all([...there, ...beside])).map(said)).toEqual([
      '200 edge pinned',
      '200 edge pinned',
      '200 cloud full',
      '200 cloud full',
    ]);
    router.answers.edge = () => json({});
    expect((await router.infer({ [TARGET]: 'edge' })).status).toBe(200);
  });
});

describe('the retry budget', () => {
  it('one target dies: every request finds the other', async () => {
    const router = routerUnderTest();
    router.answers.edge = refuse;
    for (let i = 0; i < 3 * SAVED_RETRIES; i++) expect((await router.infer()).status).toBe(200);
  });

  it('both fail: the load on them grows by a tenth at most, not twofold', async () => {
    const router = routerUnderTest();
    router.answers.edge = () => json({}, { status: 500 });
    router.answers.cloud = () => json({}, { status: 500 });
    const count = 300;
    for (let i = 0; i < count; i++) expect((await router.infer()).status).toBe(500);
    const asked = router.seen.edge.length + router.seen.cloud.length;
    expect(asked).toBeLessThanOrEqual(count + SAVED_RETRIES + count / 10);
    expect(asked).toBeGreaterThan(count + SAVED_RETRIES);
  });
});
