/** One simulated target: lanes with a queue before them, cold starts, neighbours, and what goes wrong. */
import type { Random } from '../random.ts';
import type { ProbeResult } from '../routing/policy.ts';
import type { Draw } from './arrivals.ts';
import type { Timeline } from './events.ts';
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
  readonly work: number;
  readonly arrivedAt: number;
  /** Jobs there when it came. */
  readonly found: number;
  readonly done: (answer: Answer) => void;
  cold: boolean;
  /** Where the clock of work done per job stands when this one is finished. */
  finish: number;
  lane: number;
}

/** Latencies kept for probes. */
const KEPT = 64;

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
  /** What a clairvoyant knows: when a request that arrives then would be answered there, Infinity: never. */
  foresee(arrivesAt: number, draw: Draw): number;
  /** And what it decided. */
  promise(arrivesAt: number, draw: Draw): void;
}

export function createServer(target: SimulatedTarget, timeline: Timeline, random: Random): Server {
  const { lanes, discipline, queueLimit = Infinity, cold } = target;
  const active = new Set<Job>();
  const waiting: Job[] = [];
  /** When each lane was last used; -Infinity: never. */
  const used = Array.from({ length: cold === undefined ? 0 : lanes }, () => -Infinity);
  const busy = new Set<number>();
  const latencies: { rif: number; ms: number }[] = [];
  /** A clairvoyant's book: when each lane will be free of all that was promised to it. */
  const free = Array.from({ length: lanes }, () => 0);

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
  const speed = (at: number) => antagonist * (during('speed', at)?.factor ?? 1);
  const perJob = (at: number) => {
    const crowd = discipline === 'shared' ? Math.min(1, lanes / Math.max(1, active.size)) : 1;
    return speed(at) * crowd;
  };
  const inFlight = () => active.size + waiting.length;

  /** Brings the progress up to now, lets finished jobs go, and wakes up when the next one will be finished. */
  function settle(change?: () => void): void {
    const now = timeline.now();
    progress += (now - progressAt) * perJob(progressAt);
    progressAt = now;
    for (const job of active) if (job.finish <= progress + 1e-9) finish(job, now);
    change?.();
    while (waiting.length > 0 && (discipline === 'shared' || active.size < lanes))
      start(waiting.shift()!, now);
    const turn = ++wake;
    let next = Infinity;
    for (const { finish: at } of active) next = Math.min(next, at);
    if (next === Infinity) return;
    timeline.schedule(now + Math.max(0, next - progress) / perJob(now), () => {
      if (turn === wake) settle();
    });
  }

  function start(job: Job, now: number): void {
    active.add(job);
    let { work } = job;
    if (cold !== undefined) {
      job.lane = warmest();
      job.cold = now - used[job.lane]! > cold.afterMs;
      busy.add(job.lane);
      if (job.cold) work += coldOf(job);
    }
    job.finish = progress + work;
  }

  const colds = new WeakMap<Job, number>();
  const coldOf = (job: Job) => colds.get(job) ?? 0;

  /** The lane last used of those that are free. */
  function warmest(): number {
    let best = -1;
    used.forEach((at, lane) => {
      if (!busy.has(lane) && (best === -1 || at > used[best]!)) best = lane;
    });
    return best;
  }

  function finish(job: Job, now: number): void {
    const answer: Answer = {
      kind: 'answered',
      cold: job.cold,
      inFlight: inFlight(),
      serviceMs: now - job.arrivedAt,
    };
    active.delete(job);
    if (cold !== undefined) {
      busy.delete(job.lane);
      used[job.lane] = now;
    }
    latencies.push({ rif: job.found, ms: now - job.arrivedAt });
    if (latencies.length > KEPT) latencies.shift();
    job.done(answer);
  }

  // Speeds change at the disturbances' ends and with the antagonist: what was done until then is settled first.
  for (const { kind, from, to } of target.disturbances) {
    if (kind !== 'speed') continue;
    timeline.schedule(from, () => settle());
    timeline.schedule(to, () => settle());
  }
  const { antagonist: neighbour } = target;
  if (neighbour !== undefined) {
    const after = (mean: number) => -mean * Math.log(1 - random.uniform());
    const change = (is: number, mean: number, then: () => void) => {
      timeline.schedule(timeline.now() + after(mean), () => {
        settle(() => {
          antagonist = is;
        });
        then();
      });
    };
    const come = () => change(neighbour.factor, neighbour.everyMs, () => change(1, neighbour.forMs, come));
    come();
  }

  return {
    accept(draw, done) {
      const now = timeline.now();
      const errors = during('errors', now);
      const isRefused = errors !== undefined && draw.luck < errors.share;
      if (isRefused || waiting.length >= queueLimit) {
        done({ kind: 'failed' });
        return () => {};
      }
      const job: Job = {
        work: draw.serviceMs,
        arrivedAt: now,
        found: inFlight(),
        done,
        cold: false,
        finish: 0,
        lane: -1,
      };
      colds.set(job, draw.coldMs);
      settle(() => waiting.push(job));
      return () => {
        const place = waiting.indexOf(job);
        if (place >= 0) waiting.splice(place, 1);
      };
    },
    networkExtraMs() {
      const now = timeline.now();
      return during('partition', now) === undefined ? (during('network', now)?.extraMs ?? 0) : Infinity;
    },
    /** The median of recent latencies at about the load there is (Prequal §4). */
    probe() {
      const rif = inFlight();
      const nearest = [...latencies]
        .sort((a, b) => Math.abs(a.rif - rif) - Math.abs(b.rif - rif))
        .slice(0, 9);
      const sorted = nearest.map(({ ms }) => ms).sort((a, b) => a - b);
      return { target: target.id, inFlight: rif, latencyMs: sorted[sorted.length >> 1] ?? 0 };
    },
    inFlight,
    foresee(arrivesAt, draw) {
      const isOut = during('partition', arrivesAt) !== undefined;
      const fails = (during('errors', arrivesAt)?.share ?? 0) > draw.luck;
      if (isOut || fails) return Infinity;
      const begins = Math.max(arrivesAt, Math.min(...free));
      return begins + workAhead(arrivesAt, draw) / speed(begins);
    },
    promise(arrivesAt, draw) {
      const lane = free.indexOf(Math.min(...free));
      const begins = Math.max(arrivesAt, free[lane]!);
      free[lane] = begins + workAhead(arrivesAt, draw) / speed(begins);
    },
  };

  function workAhead(arrivesAt: number, { serviceMs, coldMs }: Draw): number {
    if (cold === undefined) return serviceMs;
    const isWarm =
      used.some((at, lane) => !busy.has(lane) && arrivesAt - at <= cold.afterMs) || busy.size > 0;
    return isWarm ? serviceMs : serviceMs + coldMs;
  }
}
