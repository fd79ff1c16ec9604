/** Runs a scenario under a policy, or under a clairvoyant, in virtual time. The same seed gives the same outcomes. */
import { createRandom } from '../random.ts';
import { POLICIES, type PolicyName } from '../routing/policies/table.ts';
import { targetConfig, type TargetId } from '../routing/targets.ts';
import { type Arrival, arrivalsOf, type Draw, drawsOf } from './arrivals.ts';
import { createTimeline, type Timeline } from './events.ts';
import { createRouter, type Outcome } from './router.ts';
import type { Scenario } from './scenario.ts';
import { createServer, type Server } from './server.ts';

/** `oracle` sees every queue as it is, and what each request will take everywhere. */
export type Contender = PolicyName | 'oracle';

const STREAM = { servers: 4, routers: 5 } as const;

/** @returns what came of every request after the warm-up, in the order of their ends */
export function simulate(scenario: Scenario, contender: Contender, seed: number): Outcome[] {
  const timeline = createTimeline();
  const arrivals = arrivalsOf(scenario, seed);
  const servers = new Map<TargetId, Server>(
    scenario.targets.map((target, i) => [
      target.id,
      createServer(target, timeline, createRandom(seed, STREAM.servers, i)),
    ]),
  );
  const positions = new Map(scenario.targets.map(({ id }, i) => [id, i]));
  const draw = (target: TargetId, arrival: Arrival): Draw => {
    const position = positions.get(target)!;
    return drawsOf(seed, scenario.targets[position]!, position, arrival);
  };
  const outcomes: Outcome[] = [];
  const warmMs = scenario.warmupSeconds * 1000;
  const done = (outcome: Outcome) => {
    if (outcome.arrival.at >= warmMs) outcomes.push(outcome);
  };
  const route =
    contender === 'oracle'
      ? clairvoyant({ scenario, servers, draw, timeline })
      : routed(contender, { scenario, servers, draw, timeline, seed });
  for (const arrival of arrivals) timeline.schedule(arrival.at, () => route(arrival, done));
  // Antagonists come and go for ever: the end is when the last deadline is over.
  const longest = Math.max(...scenario.traffic.map(({ deadlineMs }) => deadlineMs));
  timeline.run(scenario.seconds * 1000 + longest + 1);
  return outcomes;
}

interface World {
  readonly scenario: Scenario;
  readonly servers: ReadonlyMap<TargetId, Server>;
  readonly draw: (target: TargetId, arrival: Arrival) => Draw;
  readonly timeline: Timeline;
}

type Route = (arrival: Arrival, done: (outcome: Outcome) => void) => void;

function routed(name: PolicyName, world: World & { readonly seed: number }): Route {
  const { scenario, seed } = world;
  const configs = scenario.targets.map(({ id, place, lanes, cost, weight }) =>
    targetConfig(id, place, { lanes, cost, weight }),
  );
  const routers = Array.from({ length: scenario.routers }, (_, i) => {
    const random = createRandom(seed, STREAM.routers, i);
    return createRouter({ ...world, configs, policy: POLICIES[name], random: random.uniform });
  });
  return (arrival, done) => routers[arrival.router]!.route(arrival, done);
}

/**
 * Sends each request where it will be answered first, knowing all that is and will be: the lanes' work, what is on its
 * way to them, this request's own times, and every disturbance. Greedy: it does not keep a place free for a later one.
 */
function clairvoyant({ scenario, servers, draw, timeline }: World): Route {
  return (arrival, done) => {
    let best: { id: TargetId; at: number } | undefined;
    const fates = new Map<TargetId, { fate: Draw; arrives: number }>();
    for (const { id, place } of scenario.targets) {
      if (arrival.pin !== undefined && arrival.pin !== place) continue;
      const server = servers.get(id)!;
      const fate = draw(id, arrival);
      const half = fate.networkMs / 2 + server.networkExtraMs() / 2;
      const arrives = timeline.now() + half;
      fates.set(id, { fate, arrives });
      const at = half === Infinity ? Infinity : server.foresee(arrives, fate) + half;
      if (best === undefined || at < best.at) best = { id, at };
    }
    const lost = { arrival, reason: undefined, predictedMs: null, hedged: false, refused: false } as const;
    if (best === undefined || best.at - arrival.at > arrival.deadlineMs) {
      done({ ...lost, target: undefined, latencyMs: arrival.deadlineMs, attempts: [] });
      return;
    }
    const { id } = best;
    const { fate, arrives } = fates.get(id)!;
    const server = servers.get(id)!;
    server.promise(arrives, fate);
    timeline.schedule(arrives, () => {
      server.accept(fate, () => {
        const latencyMs = timeline.now() + (arrives - arrival.at) - arrival.at;
        const isLate = latencyMs > arrival.deadlineMs;
        const target = isLate ? undefined : id;
        done({ ...lost, target, latencyMs: Math.min(latencyMs, arrival.deadlineMs), attempts: [id] });
      });
    });
  };
}
