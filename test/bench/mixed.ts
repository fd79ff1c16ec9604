/**
 * `npm run bench:mixed`: mean latency under a mixed load, small and large requests in bursts, on the real stack: the
 * Workers in workerd and the inference function that ships. Every policy gets the same requests at the same times, and
 * all run side by side in one process after the other's burst, so that a noisy machine is as noisy for each.
 */
import { Agent, request } from 'node:http';
import { createRandom } from '../../core/random.ts';
import type { PolicyName } from '../../core/routing/policies/table.ts';
import { table } from '../../infra/cli/output.ts';
import { publish, release, ROW } from '../e2e/router-fixture.ts';
import { buildHeavy, type Serving, startServing } from '../e2e/serving-fixture.ts';

/** The default first; the other two answer at one place, but for failures. */
const POLICIES = [
  'predictive',
  'edge-first',
  'cloud-first',
  'round-robin',
] as const satisfies readonly PolicyName[];
/** Milliseconds further away than this machine's own loopback. */
const CLOUD_MS = 15;
/** Of the larger model: products of 64 × 256 by 256 × 256. */
const LAYERS = 24;
const ROUNDS = 6;
const SEGMENT_MS = 2_500;
/** Load between bursts and in them, as shares of what the edge by itself can answer, and the share of small requests. */
const QUIET = 0.2;
const BURST = 1.3;
const SMALL = 0.7;
/** Requests of each model whose median says what the edge can answer. */
const ALONE = 15;
const DEADLINE_MS = 10_000;
/** Rounds that are not counted: models are loaded and targets learned about. */
const WARMUP = 1;

interface Arrival {
  /** Milliseconds from the beginning of the segment. */
  readonly at: number;
  readonly model: 'small' | 'large';
}

/** Poisson arrivals; the middle third is a burst. */
function segment(round: number, capacity: number): Arrival[] {
  const random = createRandom(1, round);
  const arrivals: Arrival[] = [];
  for (let at = 0; ;) {
    const isBurst = at > SEGMENT_MS / 3 && at < (2 * SEGMENT_MS) / 3;
    at += (-Math.log(1 - random.uniform()) * 1_000) / (capacity * (isBurst ? BURST : QUIET));
    if (at >= SEGMENT_MS) return arrivals;
    arrivals.push({ at, model: random.uniform() < SMALL ? 'small' : 'large' });
  }
}

interface Measured {
  readonly ms: number;
  readonly failed: boolean;
  readonly target: string;
}

function ask(
  url: string,
  model: string,
  agent: Agent,
  extra: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const headers = {
    ...extra,
    'content-type': 'application/json',
    'content-length': ROW.length,
    'x-causeway-deadline-ms': DEADLINE_MS,
  };
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}/v2/models/${model}/infer`,
      { method: 'POST', agent, headers },
      (response) => {
        response.resume().on('end', () =>
          resolve({
            ms: performance.now() - began,
            failed: response.statusCode !== 200,
            target: String(response.headers['x-causeway-target']),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(ROW);
  });
}

/** Open loop: a request is sent at its time, whatever became of those before. */
async function play(url: string, arrivals: readonly Arrival[]): Promise<Measured[]> {
  // Connections of its own: workerd closes those that were idle during the others' turns, also while one is taken up.
  const agent = new Agent({ keepAlive: true });
  const results = await Promise.all(
    arrivals.map(async ({ at, model }) => {
      await new Promise((resolve) => setTimeout(resolve, at));
      return ask(url, model, agent);
    }),
  );
  agent.destroy();
  return results;
}

/** Both models at both places, some times in turn: what is compared is routing, not who happens to start whom. */
async function warm(url: string): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  for (let i = 0; i < ALONE; i++)
    for (const model of ['small', 'large'])
      for (const target of ['edge', 'cloud']) await ask(url, model, agent, { 'x-causeway-target': target });
  agent.destroy();
}

/** Requests a second of the mixture, one after the other at the edge. */
async function capacityOf(url: string): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const alone = async (model: Arrival['model']) => {
    const times: number[] = [];
    for (let i = 0; i < ALONE; i++)
      times.push((await ask(url, model, agent, { 'x-causeway-target': 'edge' })).ms);
    return quantile(times, 0.5);
  };
  const ms = SMALL * (await alone('small')) + (1 - SMALL) * (await alone('large'));
  agent.destroy();
  return 1_000 / ms;
}

const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(q * sorted.length) - 1] ?? 0;
}

const worlds = new Map<PolicyName, Serving>();
const measured = new Map<PolicyName, Measured[]>(POLICIES.map((policy) => [policy, []]));
let capacity: number;
try {
  for (const policy of POLICIES) {
    const serving = await startServing({ ROUTING_POLICY: policy });
    worlds.set(policy, serving);
    serving.trouble.delayMs = CLOUD_MS;
    await release(serving.store, 'small', 'job_small0000');
    await publish(serving.store, 'large', 'job_large0000', buildHeavy(LAYERS));
    await warm(serving.url);
  }
  // Of a policy that learns nothing from it.
  capacity = await capacityOf(worlds.get('edge-first')!.url);
  for (let round = 0; round < ROUNDS + WARMUP; round++)
    // In turns, each round beginning with another.
    for (let i = 0; i < POLICIES.length; i++) {
      const policy = POLICIES[(round + i) % POLICIES.length]!;
      const results = await play(worlds.get(policy)!.url, segment(round, capacity));
      if (round >= WARMUP) measured.get(policy)!.push(...results);
    }
} finally {
  for (const serving of worlds.values()) await serving.stop();
}

const ours = mean(measured.get(POLICIES[0])!.map(({ ms }) => ms));
console.log(
  `mixed load: ${SMALL * 100} % small requests; the edge can answer ${capacity.toFixed(0)} a second, ` +
    `asked are ${QUIET * 100} % of that, and ${BURST * 100} % in bursts; the cloud ${CLOUD_MS} ms further away, ${measured.get(POLICIES[0])!.length} requests each`,
);
console.log(
  table(
    ['POLICY', 'MEAN MS', 'P50', 'P99', 'AT THE EDGE', 'FAILED', 'MEAN / OURS'],
    POLICIES.map((policy) => {
      const all = measured.get(policy)!;
      const times = all.map(({ ms }) => ms);
      const atEdge = all.filter(({ target }) => target === 'edge').length / all.length;
      return [
        policy,
        mean(times).toFixed(1),
        quantile(times, 0.5).toFixed(1),
        quantile(times, 0.99).toFixed(1),
        `${(100 * atEdge).toFixed(0)} %`,
        String(all.filter(({ failed }) => failed).length),
        `${(mean(times) / ours).toFixed(2)}x`,
      ];
    }),
  ),
);
