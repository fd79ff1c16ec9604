/** Scenario files: who asks what of which targets, and what goes wrong. All times are milliseconds unless named. */
import { z } from 'zod';
import { Name } from '../contracts/primitives.ts';
import { PLACES } from '../routing/targets.ts';
import { Distribution } from './distribution.ts';
import { noSuchKind } from './problem.ts';

const Time = z.number().min(0);

/** Something that lasts from one time to another. */
const DISTURBANCES = [
  /** Answers 5xx at once, this share of the requests. */
  z.strictObject({
    kind: z.literal('errors'),
    from: Time,
    to: Time,
    share: z.number().min(0).max(1).default(1),
  }),
  /** Nothing comes back: the network, or the target, is gone. */
  z.strictObject({ kind: z.literal('partition'), from: Time, to: Time }),
  /** Works this many times as fast; 0.25: a noisy neighbour takes three quarters. */
  z.strictObject({ kind: z.literal('speed'), from: Time, to: Time, factor: z.number().positive() }),
  /** The round trip takes this much longer. */
  z.strictObject({ kind: z.literal('network'), from: Time, to: Time, extraMs: Time }),
] as const;
const Disturbance = z
  .discriminatedUnion('kind', DISTURBANCES, { error: noSuchKind(DISTURBANCES) })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be after from' });
export type Disturbance = z.infer<typeof Disturbance>;

export const SimulatedTarget = z.strictObject({
  id: Name,
  /** So many of the kind, `id-1`, `id-2`, …. */
  copies: z.int().min(1).max(1_000).default(1),
  place: z.enum(PLACES),
  /** Requests it works on at once. */
  lanes: z.int().min(1).max(10_000).default(1),
  /** `fifo`: further requests wait; `shared`: all are worked on, slower (processor sharing). */
  discipline: z.enum(['fifo', 'shared']).default('fifo'),
  /** What the router is told of it. */
  cost: z.number().min(0).default(0),
  weight: z.number().positive().default(1),
  /** Of one request on an idle target, the model loaded. */
  serviceMs: Distribution,
  msPerKilobyte: z.number().min(0).default(0),
  /** A lane that was idle for longer than `afterMs`, or never used, takes so much longer. */
  cold: z.strictObject({ ms: Distribution, afterMs: Time }).optional(),
  /** There and back. */
  networkMs: Distribution.default(0),
  kilobytesPerMs: z.number().positive().optional(),
  /** Waiting requests beyond this are answered 503 at once. */
  queueLimit: z.int().min(0).optional(),
  /** A neighbour that comes and goes: exponential times, the speed while it is there. */
  antagonist: z
    .strictObject({
      everyMs: z.number().positive(),
      forMs: z.number().positive(),
      factor: z.number().positive(),
    })
    .optional(),
  disturbances: z.array(Disturbance).default([]),
});
export type SimulatedTarget = z.infer<typeof SimulatedTarget>;

/** A stream of requests. */
export const Traffic = z.strictObject({
  model: Name.default('model'),
  bytes: Distribution.default(1_000),
  /** How much there is to do, the same at every target: multiplies the service time. The router is not told. */
  work: Distribution.default(1),
  deadlineMs: z.int().min(1).max(600_000).default(10_000),
  /** Only targets of this place. */
  pin: z.enum(PLACES).optional(),
  /**
   * Requests a second over time: between two points the rate goes in a straight line. `poisson`: independent arrivals;
   * `regular`: as evenly spaced as the rate is, as one sensor or camera sends.
   */
  rate: z
    .array(z.tuple([Time, z.number().min(0)]))
    .min(1)
    .optional(),
  arrivals: z.enum(['poisson', 'regular']).default('poisson'),
  /** Replayed: the times of the requests. */
  trace: z.array(Time).optional(),
});
export type Traffic = z.infer<typeof Traffic>;

/** As far as a schema says it: the rest is checked by `parseScenario` in parse.ts. */
export const Scenario = z.strictObject({
  v: z.literal(1).default(1),
  name: Name,
  about: z.string(),
  /** Where its figures are from. */
  sources: z.array(z.string()).default([]),
  seconds: z.number().positive().max(86_400),
  /** Requests before this are not counted: routers have to learn first. */
  warmupSeconds: z.number().min(0).default(0),
  /** Router isolates; each request comes to one of them at random. They share nothing. */
  routers: z.int().min(1).max(1_000).default(1),
  targets: z.array(SimulatedTarget).min(1).max(1_000),
  traffic: z.array(Traffic).min(1),
  /** What the use asks for. */
  objective: z
    .strictObject({
      p99Ms: z.number().positive().optional(),
      /** Share of the requests that get no answer in time. */
      missShare: z.number().min(0).max(1).optional(),
    })
    .optional(),
  /** The router's protections; on unless said otherwise. */
  hedging: z.boolean().default(true),
  fallback: z.boolean().default(true),
  admission: z.boolean().default(false),
});
export type Scenario = z.infer<typeof Scenario>;
/** As it is written. */
export type ScenarioFile = z.input<typeof Scenario>;
