/** Runs a scenario under a policy, or under a clairvoyant, in virtual time. The same seed gives the same outcomes. */
import { createRandom } from '../random.ts';
import { POLICIES, type PolicyName } from '../routing/policies/table.ts';
import { targetConfig, type TargetId } from '../routing/targets.ts';
import { type Arrival, arrivalsOf, type Draw, drawsOf, expectedOf } from './arrivals.ts';
import { createClairvoyant } from './clairvoyant.ts';
import { createTimeline, type Timeline } from './events.ts';
import { createRouter, type Outcome } from './router.ts';
import type { Scenario } from './scenario.ts';
import { createServer, type Server } from './server.ts';

export const CLAIRVOYANTS = ['oracle', 'informed'] as const;
/** A policy, or what it can be measured against, see clairvoyant.ts. */
export type Contender = PolicyName | (typeof CLAIRVOYANTS)[number];

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
  const expected = (target: TargetId, arrival: Arrival): Draw =>
    expectedOf(scenario.targets[positions.get(target)!]!, scenario.traffic[arrival.stream]!, arrival);
  const world = { scenario, servers, draw, timeline };
  const route =
    contender === 'oracle' || contender === 'informed'
      ? createClairvoyant({ ...world, expected: contender === 'oracle' ? draw : expected })
      : routed(contender, { ...world, seed });
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
