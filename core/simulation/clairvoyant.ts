/**
 * What routing could come to at best: contenders that see every queue as it is, with all that is on its way there.
 *
 * - `oracle` knows the future too: what this very request will take at every target, and whether it will fail. No
 *   router can know that, so it is a bound to be compared with, not one to be reached.
 * - `informed` knows of the request what its size says and no more: mean times. A router that never errs and hears of
 *   everything at once would do as well.
 *
 * Both take the target of the lowest price: when it answers, by how much that delays those that are there or on their
 * way, and those still to come (see {@link delayOfLater}). They take one request after the other and never reconsider:
 * not the best schedule there is, which is beyond computing (it is NP-hard). A cold start is suffered but not avoided:
 * who avoids each one keeps a target cold that the next thousand requests would want warm, and comes out worse.
 */
import type { TargetId } from '../routing/targets.ts';
import type { Arrival, Draw } from './arrivals.ts';
import type { Timeline } from './events.ts';
import type { Outcome } from './router.ts';
import type { Scenario, SimulatedTarget } from './scenario.ts';
import type { Server } from './server.ts';

export interface ClairvoyantOptions {
  readonly scenario: Scenario;
  readonly servers: ReadonlyMap<TargetId, Server>;
  /** What will be. */
  readonly draw: (target: TargetId, arrival: Arrival) => Draw;
  /** What is taken for it. */
  readonly expected: (target: TargetId, arrival: Arrival) => Draw;
  readonly timeline: Timeline;
}

/** On its way to a target. */
interface Coming {
  readonly arrivesAt: number;
  readonly work: number;
}

interface Foreseen {
  /** When this request would be answered, less the way back. */
  readonly at: number;
  /** Milliseconds by which others there would be later, all together. */
  readonly delay: number;
  /** Milliseconds that this one would wait, and be worked on. */
  readonly wait: number;
  readonly service: number;
}

/** Time constant of the utilisation, milliseconds, and the most that counts of it. Found best in simulation. */
const BUSY_MS = 5_000;
const MOST_BUSY = 0.6;

export function createClairvoyant(options: ClairvoyantOptions) {
  const { scenario, servers, timeline } = options;
  const views = scenario.targets.map((target) => createView(target, servers.get(target.id)!, timeline));

  return (arrival: Arrival, done: (outcome: Outcome) => void): void => {
    const lost = { arrival, reason: undefined, predictedMs: null, hedged: false, refused: false } as const;
    let best: { readonly view: View; readonly at: number; readonly foreseen: Foreseen } | undefined;
    let lowest = Infinity;
    for (const view of views) {
      const { id, place } = view.target;
      if (arrival.pin !== undefined && arrival.pin !== place) continue;
      const fate = options.expected(id, arrival);
      const half = (fate.networkMs + servers.get(id)!.networkExtraMs()) / 2;
      const arrivesAt = timeline.now() + half;
      if (half === Infinity || !servers.get(id)!.answersAt(arrivesAt, fate)) continue;
      const foreseen = view.foresee(arrivesAt, fate);
      const at = foreseen.at + half;
      const isLate = at - arrival.at > arrival.deadlineMs;
      const price = isLate ? Number.MAX_VALUE : at + foreseen.delay + view.delayOfLater(foreseen);
      if (price >= lowest) continue;
      best = { view, at, foreseen };
      lowest = price;
    }
    if (best === undefined) {
      done({ ...lost, target: undefined, latencyMs: arrival.deadlineMs, attempts: [] });
      return;
    }
    send(best.view, arrival, (latencyMs, isAnswered) => {
      const isMissed = !isAnswered || latencyMs > arrival.deadlineMs;
      done({
        ...lost,
        target: isMissed ? undefined : best.view.target.id,
        latencyMs: isMissed ? arrival.deadlineMs : latencyMs,
        attempts: [best.view.target.id],
      });
    });
  };

  function send(view: View, arrival: Arrival, done: (latencyMs: number, isAnswered: boolean) => void): void {
    const { id } = view.target;
    const server = servers.get(id)!;
    const fate = options.draw(id, arrival);
    const half = (fate.networkMs + server.networkExtraMs()) / 2;
    const arrived = view.promise(timeline.now() + half, fate);
    timeline.schedule(timeline.now() + half, () => {
      arrived();
      server.accept(fate, ({ kind }) => done(timeline.now() + half - arrival.at, kind === 'answered'));
    });
  }
}

type View = ReturnType<typeof createView>;

function createView(target: SimulatedTarget, server: Server, timeline: Timeline) {
  const { lanes, discipline } = target;
  const coming: Coming[] = [];
  /** Work sent in the last while, fading, per millisecond and lane. */
  let busy = 0;
  let busyAt = 0;
  const utilisation = () => busy * Math.exp(-(timeline.now() - busyAt) / BUSY_MS);

  return {
    target,
    foresee(arrivesAt: number, draw: Draw): Foreseen {
      const insight = server.insight();
      const speed = server.speedAt(arrivesAt);
      return discipline === 'shared'
        ? shared([...insight.active, ...coming.map((each) => each.work)], arrivesAt, draw.serviceMs, speed)
        : queued(insight, arrivesAt, draw.serviceMs, speed);
    },
    /**
     * Of a request on those that come after it and are not known yet: in an M/G/1 queue of utilisation ρ
     * `ρ·(wait + service/2)/(1 − ρ)`, as in core/routing/policies/predictive.ts.
     */
    delayOfLater({ wait, service }: Foreseen): number {
      const rho = Math.min(MOST_BUSY, utilisation());
      return (rho * (wait + service / lanes / 2)) / (1 - rho);
    },
    /** @returns to be called when it has arrived */
    promise(arrivesAt: number, { serviceMs }: Draw): () => void {
      busy = utilisation() + serviceMs / server.speedAt(arrivesAt) / lanes / BUSY_MS;
      busyAt = timeline.now();
      const entry: Coming = { arrivesAt, work: serviceMs };
      const place = coming.findIndex((each) => each.arrivesAt > arrivesAt);
      coming.splice(place === -1 ? coming.length : place, 0, entry);
      return () => coming.splice(coming.indexOf(entry), 1);
    },
  };

  /** All are worked on at once: each of the others takes from it, and loses by it, as long as both are there. */
  function shared(others: readonly number[], arrivesAt: number, work: number, speed: number): Foreseen {
    const overlap = others.reduce((sum, each) => sum + Math.min(each, work), 0);
    const service = Math.max(work, (work + overlap) / lanes) / speed;
    const isCrowded = others.length >= lanes;
    return { at: arrivesAt + service, delay: isCrowded ? overlap / lanes / speed : 0, wait: 0, service };
  }

  /** Each takes the first lane that is free, in the order of arrival. */
  function queued(
    { active, waiting }: { readonly active: readonly number[]; readonly waiting: readonly number[] },
    arrivesAt: number,
    work: number,
    speed: number,
  ): Foreseen {
    const now = timeline.now();
    const free = Array.from({ length: lanes }, (_, i) => now + (active[i] ?? 0) / speed);
    const take = (from: number, ms: number): number => {
      let first = 0;
      for (let i = 1; i < lanes; i++) if (free[i]! < free[first]!) first = i;
      const at = Math.max(from, free[first]!) + ms / speed;
      free[first] = at;
      return at;
    };
    for (const each of waiting) take(now, each);
    const later: Coming[] = [];
    for (const each of coming) {
      if (each.arrivesAt <= arrivesAt) take(each.arrivesAt, each.work);
      else later.push(each);
    }
    const without = later.length === 0 ? [] : [...free];
    const at = take(arrivesAt, work);
    const wait = at - arrivesAt - work / speed;
    // Those that arrive after it, with it and without it.
    let delay = 0;
    if (later.length > 0) {
      const withIt = later.map((each) => take(each.arrivesAt, each.work));
      free.splice(0, lanes, ...without);
      for (const [i, each] of later.entries()) delay += withIt[i]! - take(each.arrivesAt, each.work);
    }
    return { at, delay, wait, service: work / speed };
  }
}
