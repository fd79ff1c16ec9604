/**
 * Load shifts on the real stack: the Workers in workerd, the inference function that ships, clients that keep asking.
 * Whatever happens to one target, no request fails while the other lives, shares shift within a second, and come back.
 */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { publish, ROW } from './router-fixture.ts';
import { buildHeavy, type Serving, startServing } from './serving-fixture.ts';

/** Milliseconds in which shares must have shifted, and the requests after that of which they are counted. */
const SHIFT_MS = 1_000;
const COUNTED = 30;
/** Requests by which a share is told from another: of fewer a busy machine makes what it likes. */
const MANY = 100;
/** Until they have, and until a share has come back. */
const RETURN = { timeout: 60_000, interval: 50 };
/** The same where nobody insists: what is not chosen is looked at within two seconds, and a busy machine has its time, too. */
const UNAIDED = { ...RETURN, timeout: 15_000 };

let serving: Serving;
async function start(): Promise<void> {
  serving = await startServing();
  await publish(serving.store, 'heavy', 'job_heavy000', buildHeavy(32));
  // It is loaded at both, and something is known of them.
  for (const target of ['edge', 'cloud'])
    for (let i = 0; i < 10; i++) expect((await infer('heavy', target)).status).toBe(200);
}
beforeAll(start);
afterAll(() => serving?.stop());

type Target = 'edge' | 'cloud';
interface Asked {
  readonly sentAt: number;
  readonly status: number;
  readonly target: string | null;
  readonly reason: string | null;
  readonly ms: number;
}

async function infer(model: string, target = 'auto'): Promise<Asked> {
  const began = performance.now();
  const response = await fetch(`${serving.url}/v2/models/${model}/infer`, {
    method: 'POST',
    body: ROW,
    headers: { 'content-type': 'application/json', 'x-causeway-target': target },
  });
  await response.arrayBuffer();
  const { status, headers } = response;
  const ms = performance.now() - began;
  return {
    sentAt: began,
    status,
    target: headers.get('x-causeway-target'),
    reason: headers.get('x-causeway-reason'),
    ms,
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const share = (all: readonly Asked[], target: Target) =>
  all.filter((each) => each.target === target).length / all.length;

/** Clients that ask one request after another until they are stopped. */
function clients(count: number, model: string, target?: Target) {
  const all: Asked[] = [];
  const stopping = new AbortController();
  const going = Promise.all(
    Array.from({ length: count }, async () => {
      while (!stopping.signal.aborted) {
        all.push(await infer(model, target));
        await pause(15);
      }
    }),
  );
  return {
    all,
    /** The share of a target in what is sent a second from now. */
    async shareAfterShift(of: Target, requests = COUNTED): Promise<number> {
      const from = performance.now() + SHIFT_MS;
      const counted = () => all.filter(({ sentAt }) => sentAt >= from);
      await vi.waitFor(() => expect(counted().length).toBeGreaterThanOrEqual(requests), RETURN);
      return share(counted(), of);
    },
    returnsTo: (of: Target, within = RETURN, least = 0.5) =>
      vi.waitFor(() => expect(share(all.slice(-COUNTED), of)).toBeGreaterThan(least), within),
    async stop(): Promise<readonly Asked[]> {
      stopping.abort();
      await going;
      return all;
    },
  };
}

/** Begun by a test, ended after it whatever comes of it. */
let running: { stop(): Promise<unknown> }[] = [];
function begin(...of: Parameters<typeof clients>) {
  const begun = clients(...of);
  running.push(begun);
  return begun;
}
afterEach(async () => {
  serving.trouble.delayMs = 0;
  serving.trouble.fails = false;
  await Promise.all(running.map((each) => each.stop()));
  running = [];
});

const failures = (all: readonly Asked[]) => all.filter(({ status }) => status !== 200);

const fail = (fails: boolean) => async () => void (serving.trouble.fails = fails);
test.each([
  ['dies in the middle of requests', () => serving.kill(), () => serving.revive()],
  ['fails at once, and so looks quick', fail(true), fail(false)],
])('the cloud %s, and returns', async (_what, harm, heal) => {
  const load = begin(3, 'heavy');
  await load.returnsTo('cloud');
  await harm();
  expect(await load.shareAfterShift('edge')).toBe(1);
  await heal();
  // Its ejection lasts half a minute, unless somebody who insists sees it answer.
  await vi.waitFor(async () => expect((await infer('heavy', 'cloud')).status).toBe(200), RETURN);
  await load.returnsTo('cloud');
  expect(failures(await load.stop())).toEqual([]);
});

test('the edge gets more than it can do, and less again', async () => {
  const alone = await Promise.all(Array.from({ length: 5 }, () => infer('heavy', 'edge')));
  // The cloud is far enough that one client has nothing to gain there, and many have.
  serving.trouble.delayMs = (3 * Math.max(...alone.map(({ ms }) => ms))) / alone.length;
  const load = begin(1, 'heavy');
  await load.returnsTo('edge');
  const undisturbed = await load.shareAfterShift('cloud');
  const crowd = begin(12, 'heavy');
  const crowded = await crowd.shareAfterShift('cloud', MANY);
  expect(crowded).toBeGreaterThan(0.2);
  expect(crowded).toBeGreaterThan(2 * undisturbed);
  expect(failures(await crowd.stop())).toEqual([]);
  await load.returnsTo('edge');
  expect(failures(await load.stop())).toEqual([]);
});

/** How soon exactly it is believed again: test/unit/simulation/shifts.test.ts, where the machine has no say. */
test('the cloud grows slow, and quick again', async () => {
  await serving.stop();
  await start();
  const load = begin(6, 'heavy');
  await load.returnsTo('cloud');
  serving.trouble.delayMs = 1_500;
  expect(await load.shareAfterShift('edge')).toBeGreaterThan(0.7);
  // Long enough that copies are under way, which come back slow when the cloud is quick again.
  await pause(3_000);
  expect(share(load.all.slice(-COUNTED), 'cloud')).toBeLessThan(0.1);
  serving.trouble.delayMs = 0;
  await load.returnsTo('cloud', UNAIDED, 0.3);
  expect(failures(await load.stop())).toEqual([]);
});
