import { describe, expect, it } from 'vitest';
import { POLICY_NAMES } from '../../../core/routing/policies/table.ts';
import { prequal } from '../../../core/routing/policies/prequal.ts';
import type { Policy, ProbeResult } from '../../../core/routing/policy.ts';
import { createProbing, PROBE_LIMIT_MS, PROBE_STALE_MS } from '../../../functions/router/probing.ts';
import { type Answering, hang, json, refuse, routerUnderTest, type Seen } from './stand-ins.ts';

/** Remembers what it is told. */
const LISTENING: Policy<readonly ProbeResult[]> = {
  ...prequal,
  initial: [],
  choose: undefined as never,
  probed: (memory, result) => [...memory, result],
};
const probing = () => createProbing<'edge' | 'cloud'>(LISTENING as Policy);
const heard = (memory: unknown) => (memory as readonly ProbeResult[]).at(-1);

describe('probing', () => {
  const BOTH = ['edge', 'cloud'] as const;

  it('asks a target once, and again when nothing was heard of it for a while', () => {
    const one = probing();
    expect(one.due(BOTH, 0)).toEqual(BOTH);
    expect(one.due(BOTH, 5)).toEqual([]);
    one.reported([], { target: 'edge', inFlight: 0 }, { inFlight: 0, latencyMs: 1 }, false, 10);
    expect(one.due(BOTH, 9 + PROBE_STALE_MS)).toEqual([]);
    expect(one.due(BOTH, 10 + PROBE_STALE_MS)).toEqual(['edge']);
  });

  it('does not ask a target that answers requests', () => {
    const one = probing();
    for (let now = 0; now < 2_000; now += PROBE_STALE_MS / 2) {
      expect(one.due(['cloud'], now)).toEqual(now === 0 ? ['cloud'] : []);
      one.answered([], { target: 'cloud', inFlight: 1 }, 20, now);
    }
  });

  it('leaves a target alone that does not answer, and forgets a probe that ended without a word', () => {
    const one = probing();
    one.due(['edge', 'cloud'], 0);
    expect(one.reported('memory', { target: 'edge', inFlight: 0 }, null, false, 50)).toBe('memory');
    expect(one.due(BOTH, 49 + PROBE_LIMIT_MS)).toEqual([]);
    expect(one.due(BOTH, 50 + PROBE_LIMIT_MS)).toEqual(['edge']);
    expect(one.due(['cloud'], 2 * PROBE_LIMIT_MS)).toEqual(['cloud']);
  });

  it('is at most ten a second for each target, however many requests there are', () => {
    const one = probing();
    let sent = 0;
    for (let now = 0; now < 1_000; now++)
      for (const target of one.due(BOTH, now)) {
        sent += 1;
        one.reported([], { target, inFlight: 0 }, { inFlight: 0, latencyMs: 1 }, false, now);
      }
    expect(sent).toBe((BOTH.length * 1_000) / PROBE_STALE_MS);
  });

  it('adds the way there to what a target says, believes the larger count, and no Worker’s clock', () => {
    const one = probing();
    one.due(BOTH, 0);
    const cloud = one.reported(
      [],
      { target: 'cloud', inFlight: 7 },
      { inFlight: 1, latencyMs: 30 },
      true,
      12,
    );
    expect(heard(cloud)).toEqual({ target: 'cloud', inFlight: 7, latencyMs: 42 });
    const edge = one.reported([], { target: 'edge', inFlight: 1 }, { inFlight: 3, latencyMs: 99 }, false, 2);
    expect(heard(edge)).toEqual({ target: 'edge', inFlight: 3, latencyMs: 2 });
    // What its answers took is known better here.
    one.answered([], { target: 'edge', inFlight: 3 }, 25, 50);
    one.due(['edge'], 200);
    const later = one.reported(
      [],
      { target: 'edge', inFlight: 3 },
      { inFlight: 3, latencyMs: 99 },
      false,
      201,
    );
    expect(heard(later)).toEqual({ target: 'edge', inFlight: 3, latencyMs: 25 });
  });
});

const isProbe = ({ url }: Seen) => url.endsWith('/v2/health/live');
const settled = () => new Promise((resolve) => setTimeout(resolve, 2));

describe('a router that probes', () => {
  const telling =
    (inFlight: number, latencyMs: number): Answering =>
    (seen) =>
      isProbe(seen)
        ? json(
            { live: true },
            { headers: { 'x-causeway-in-flight': `${inFlight}`, 'x-causeway-latency-ms': `${latencyMs}` } },
          )
        : json({});

  it('asks beside the request, with the token where it is needed, and chooses by what it is told', async () => {
    const router = routerUnderTest({ ROUTING_POLICY: 'prequal' });
    router.answers.edge = telling(50, 0);
    router.answers.cloud = telling(0, 40);
    expect((await router.infer()).headers.get('x-causeway-reason')).toBe('random');
    await settled();
    expect(router.seen.edge.filter(isProbe)).toHaveLength(1);
    expect(router.seen.cloud.filter(isProbe)).toHaveLength(1);
    const metrics = await (await router.ask('/metrics')).text();
    expect(metrics).toContain('causeway_load_probes_total{target="edge",result="answered"} 1');
    const chosen = new Set<string>();
    for (let i = 0; i < 10; i++) chosen.add((await router.infer()).headers.get('x-causeway-reason')!);
    expect([...chosen].filter((reason) => /^(cold|hot)-probe$/.test(reason)).length).toBeGreaterThan(0);
  });

  it.each([
    ['hang', hang],
    ['are refused', refuse],
    ['fail', () => json({}, { status: 500 })],
    ['say nothing', () => json({})],
    [
      'say nonsense',
      () => json({}, { headers: { 'x-causeway-in-flight': '-1', 'x-causeway-latency-ms': 'NaN' } }),
    ],
  ] as const)('answers as well where probes %s', async (_what, answer) => {
    const router = routerUnderTest({ ROUTING_POLICY: 'prequal' });
    for (const target of ['edge', 'cloud'] as const)
      router.answers[target] = (seen, signal) => (isProbe(seen) ? answer(seen, signal) : json({}));
    for (let i = 0; i < 8; i++) {
      expect((await router.infer()).status).toBe(200);
      router.pass(PROBE_STALE_MS);
    }
  });

  it('asks nobody under a policy that does not want it', async () => {
    const router = routerUnderTest();
    await router.infer();
    await settled();
    expect([...router.seen.edge, ...router.seen.cloud].filter(isProbe)).toEqual([]);
  });
});

describe.each(POLICY_NAMES)('the router under %s', (name) => {
  it('answers while one target fails, and from the one that is left', async () => {
    const router = routerUnderTest({ ROUTING_POLICY: name });
    for (let i = 0; i < 6; i++) expect((await router.infer()).status).toBe(200);
    for (const failing of ['cloud', 'edge'] as const) {
      const other = failing === 'edge' ? 'cloud' : 'edge';
      router.answers[failing] = () => json({ error: 'out of order' }, { status: 500 });
      router.answers[other] = () => json({});
      // The other one's ejection is over, and its trial may be given.
      router.pass(60_000);
      for (let i = 0; i < 12; i++) {
        const response = await router.infer();
        expect(response.status).toBe(200);
        expect(response.headers.get('x-causeway-target')).toBe(other);
        await response.body?.cancel();
        await settled();
      }
    }
  });
});
