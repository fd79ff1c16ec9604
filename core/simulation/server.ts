/** One simulated target: lanes with a queue before them, cold starts, neighbours, and what goes wrong. */
import type { Random } from '../random.ts';
import type { ProbeResult } from '../routing/policy.ts';
import { createLatencies } from '../telemetry/latencies.ts';
import type { Draw } from './arrivals.ts';
import type { Timeline } from './events.ts';
import { createLanes } from './lanes.ts';
import type { Disturbance, SimulatedTarget } from './scenario.ts';

export type Answer =
  | {
      readonly kind: 'answered';
      readonly cold: boolean;
      /** In the target when it answered, this one included. */
      readonly inFlight: number;
      /** Milliseconds in the target. */
      readonly serviceMs: number;
    }
  | { readonly kind: 'failed' };

interface Job {
  /** Milliseconds alone on a lane at full speed. */
  readonly work: number;
  readonly coldMs: number;
  readonly arrivedAt: number;
  /** Jobs there when it came. */
  readonly found: number;
  readonly done: (answer: Answer) => void;
  cold: boolean;
  /** Where the work done for each job stands when this one is finished. */
  finish: number;
  lane: number;
}

/** What only a clairvoyant sees of a target. */
export interface Insight {
  /** Work left of each job that is worked on, in milliseconds at full speed. */
  readonly active: readonly number[];
  /** Work of those that wait, the next one first. */
  readonly waiting: readonly number[];
}

export interface Server {
  /**
   * A request arrives.
   * @param done called when it is answered, if ever
   * @returns takes it back, where it still waits
   */
  accept(draw: Draw, done: (answer: Answer) => void): () => void;
  /** Extra milliseconds on the network now; Infinity: nothing comes through. */
  networkExtraMs(): number;
  probe(): ProbeResult;
  inFlight(): number;
  insight(): Insight;
  /** Share of full speed that it has at a time to come, as far as the scenario says it. */
  speedAt(at: number): number;
  /** Whether a request that arrives then, with this luck, is answered. */
  answersAt(at: number, draw: Draw): boolean;
}

export function createServer(target: SimulatedTarget, timeline: Timeline, random: Random): Server {
  const { lanes, discipline, queueLimit = Infinity, cold } = target;
  /** Requests that are worked on at once, each at its pace. */
  const places = discipline === 'shared' ? Infinity : lanes;
  const active = new Set<Job>();
  const waiting: Job[] = [];
  const environments = cold === undefined ? undefined : createLanes(lanes, cold.afterMs);
  const latencies = createLatencies();

  let antagonist = 1;
  /** Work done for each active job since the beginning, and when that was so. */
  let progress = 0;
  let progressAt = 0;
  let wake = 0;

  const during = <K extends Disturbance['kind']>(kind: K, at: number) =>
    target.disturbances.find(
      (each): each is Extract<Disturbance, { kind: K }> =>
        each.kind === kind && at >= each.from && at < each.to,
    );
  const speedAt = (at: number) => antagonist * (during('speed', at)?.factor ?? 1);
  /** Work done for each active job in a millisecond. */
  const pace = (at: number) => {
    const crowd = discipline === 'shared' ? Math.min(1, lanes / Math.max(1, active.size)) : 1;
    return speedAt(at) * crowd;
  };
  const inFlight = () => active.size + waiting.length;

  function advance(): void {
    progress += (timeline.now() - progressAt) * pace(progressAt);
    progressAt = timeline.now();
  }

  /** Lets finished jobs go and waiting ones begin, and wakes up when the next one will be finished. */
  function settle(): void {
    const now = timeline.now();
    for (const job of active) if (job.finish <= progress) finish(job, now);
    while (waiting.length > 0 && active.size < places) start(waiting.shift()!, now);
    // Without work the count starts again: it stays small, and exact.
    if (active.size === 0) progress = 0;
    const turn = ++wake;
    let next = Infinity;
    for (const job of active) next = Math.min(next, job.finish);
    if (next === Infinity) return;
    timeline.schedule(now + (next - progress) / pace(now), () => {
      if (turn !== wake) return;
      // Nothing has changed since: it is there to the last bit, whatever rounding says.
      progress = next;
      progressAt = timeline.now();
      settle();
    });
  }

  function start(job: Job, now: number): void {
    active.add(job);
    let { work } = job;
    if (environments !== undefined) {
      job.lane = environments.take();
      job.cold = !environments.isWarm(job.lane, now);
      if (job.cold) work += job.coldMs;
    }
    job.finish = progress + work;
  }

  function finish(job: Job, now: number): void {
    const ms = now - job.arrivedAt;
    const answer: Answer = { kind: 'answered', cold: job.cold, inFlight: inFlight(), serviceMs: ms };
    active.delete(job);
    environments?.release(job.lane, now);
    latencies.add(job.found, ms, now);
    job.done(answer);
  }

  // Speeds change at the disturbances' ends and with the antagonist. What was done until then was at the old speed.
  function changeAt(at: number, change: () => void): void {
    timeline.schedule(at, () => {
      advance();
      change();
      settle();
    });
  }
  for (const { kind, from, to } of target.disturbances) {
    if (kind === 'speed') for (const at of [from, to]) changeAt(at, () => {});
  }
  const { antagonist: neighbour } = target;
  if (neighbour !== undefined) {
    const drawn = (mean: number) => -mean * Math.log(1 - random.uniform());
    const becomes = (factor: number, at: number) =>
      changeAt(at, () => {
        antagonist = factor;
        if (factor === 1) becomes(neighbour.factor, at + drawn(neighbour.everyMs));
        else becomes(1, at + drawn(neighbour.forMs));
      });
    // It is in the middle of its coming and going when the scenario begins.
    const isThere = random.uniform() * (neighbour.everyMs + neighbour.forMs) < neighbour.forMs;
    becomes(isThere ? neighbour.factor : 1, 0);
  }

  const fails = (at: number, { luck }: Draw) => luck < (during('errors', at)?.share ?? 0);

  return {
    accept(draw, done) {
      const now = timeline.now();
      if (fails(now, draw) || waiting.length >= queueLimit) {
        done({ kind: 'failed' });
        return () => {};
      }
      const job: Job = {
        work: draw.serviceMs,
        coldMs: draw.coldMs,
        arrivedAt: now,
        found: inFlight(),
        done,
        cold: false,
        finish: 0,
        lane: -1,
      };
      advance();
      waiting.push(job);
      settle();
      return () => {
        const place = waiting.indexOf(job);
        if (place >= 0) waiting.splice(place, 1);
      };
    },
    networkExtraMs() {
      const now = timeline.now();
      return during('partition', now) === undefined ? (during('network', now)?.extraMs ?? 0) : Infinity;
    },
    probe() {
      const now = inFlight();
      return { target: target.id, inFlight: now, latencyMs: latencies.at(now, timeline.now()) };
    },
    inFlight,
    insight() {
      advance();
      return {
        active: Array.from(active, ({ finish: at }) => Math.max(0, at - progress)),
        waiting: waiting.map(({ work }) => work),
      };
    },
    speedAt,
    answersAt: (at, draw) => during('partition', at) === undefined && !fails(at, draw),
  };
}
