/** When requests come, what they carry, and what each target will make of them: drawn once, alike for every policy. */
import { createRandom } from '../random.ts';
import type { RouteRequest } from '../routing/policy.ts';
import { draw, meanOf } from './distribution.ts';
import { evenTimes, rateAt } from './rate.ts';
import type { Scenario, SimulatedTarget, Traffic } from './scenario.ts';

/** One request's fate at one target. */
export interface Draw {
  readonly networkMs: number;
  readonly serviceMs: number;
  readonly coldMs: number;
  /** Uniform in [0, 1): whether it is among the share that fails. */
  readonly luck: number;
}

export interface Arrival extends Pick<RouteRequest, 'model' | 'bytes' | 'pin' | 'deadlineMs'> {
  readonly index: number;
  readonly at: number;
  /** Which of the scenario's streams it is of. */
  readonly stream: number;
  /** Multiplies its service time at every target. */
  readonly work: number;
  readonly router: number;
}

/** Streams of random numbers, so that a change of one thing leaves the others as they are. */
const STREAM = { arrivals: 1, requests: 2, draws: 3 } as const;

/** Times by thinning (Lewis & Shedler 1979) of a Poisson process of the highest rate, or as even as the rate is. */
function timesOf({ rate, arrivals, trace }: Traffic, endMs: number, random: ReturnType<typeof createRandom>) {
  if (rate === undefined) return (trace ?? []).filter((at) => at < endMs);
  if (arrivals === 'regular') return evenTimes(rate, endMs, random.uniform());
  const perMs = (at: number) => rateAt(rate, at) / 1000;
  const highest = Math.max(...rate.map(([, perSecond]) => perSecond)) / 1000;
  const times: number[] = [];
  if (highest === 0) return times;
  for (let at = 0; ;) {
    at -= Math.log(1 - random.uniform()) / highest;
    if (at >= endMs) return times;
    if (random.uniform() * highest < perMs(at)) times.push(at);
  }
}

/** All requests of a scenario in the order of their time. */
export function arrivalsOf(scenario: Scenario, seed: number): Arrival[] {
  const endMs = scenario.seconds * 1000;
  const streams = scenario.traffic.flatMap((traffic, stream) => {
    const random = createRandom(seed, STREAM.arrivals, stream);
    return timesOf(traffic, endMs, random).map((at) => ({ at, stream, traffic }));
  });
  streams.sort((a, b) => a.at - b.at);
  const random = createRandom(seed, STREAM.requests);
  return streams.map(({ at, stream, traffic: { model, bytes, work, pin, deadlineMs } }, index) => ({
    index,
    at,
    stream,
    model,
    pin,
    deadlineMs,
    bytes: Math.round(draw(bytes, random)),
    work: draw(work, random),
    router: random.below(scenario.routers),
  }));
}

/** The same for a request and target whenever it is asked, whichever policy asks. */
export function drawsOf(seed: number, target: SimulatedTarget, position: number, arrival: Arrival): Draw {
  const random = createRandom(seed, STREAM.draws, position, arrival.index);
  return fateOf(target, arrival, arrival.work, {
    networkMs: draw(target.networkMs, random),
    serviceMs: draw(target.serviceMs, random),
    coldMs: target.cold === undefined ? 0 : draw(target.cold.ms, random),
    luck: random.uniform(),
  });
}

/** What can be expected of a request of this size of which nothing else is known: means, neither lucky nor unlucky. */
export function expectedOf(target: SimulatedTarget, traffic: Traffic, arrival: Arrival): Draw {
  return fateOf(target, arrival, meanOf(traffic.work), {
    networkMs: meanOf(target.networkMs),
    serviceMs: meanOf(target.serviceMs),
    coldMs: target.cold === undefined ? 0 : meanOf(target.cold.ms),
    luck: 0.5,
  });
}

function fateOf(target: SimulatedTarget, { bytes }: Arrival, work: number, drawn: Draw): Draw {
  const kilobytes = bytes / 1000;
  const transferMs = target.kilobytesPerMs === undefined ? 0 : kilobytes / target.kilobytesPerMs;
  return {
    ...drawn,
    networkMs: drawn.networkMs + transferMs,
    serviceMs: work * (drawn.serviceMs + kilobytes * target.msPerKilobyte),
  };
}
