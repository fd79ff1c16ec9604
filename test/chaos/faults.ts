/**
 * What goes wrong, how often, and how: a row each. Draws are functions of the run's seed and of what is drawn for, never of
 * the order in which threads got ready, so a seed is a course.
 */
import { Readable } from 'node:stream';
import { createRandom, type Random } from '../../core/random.ts';
import { type S3Answer, s3Error, type S3Request } from './s3-service.ts';

export type Draw = (what: string) => Random;

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

export const drawFor =
  (seed: number): Draw =>
  (what) =>
    createRandom(seed, hash(what));

/** Of deliveries. */
export const DELIVERY = {
  /** The function is killed: at any request, before or after it had its effect, or before the message is acknowledged. */
  kill: 0.3,
  /** The message is handed out another time, now or later, whatever becomes of this one. */
  duplicate: 0.2,
  /** Of shard tasks: so little of the function's time is left that it hands on after a step or three. */
  handOn: 0.15,
  /** The function's clock is wrong by up to an hour, either way. */
  wrongClock: 0.1,
} as const;

/** Of messages sent: seconds they are late. */
export const LATE = { chance: 0.3, seconds: 15 } as const;
/** Of requests to the queue: no answer, and half of the time its messages were taken all the same. The SDK tries 3 times. */
export const SEND = { fails: 0.05, taken: 0.5, tries: 3 } as const;
/** Of requests: others run while this one is answered, and the clock jumps meanwhile. */
export const MEANWHILE = { others: 0.08, clockJump: 0.005 } as const;

/**
 * Every so many seconds somebody looks for jobs of which no message is left: a job counts as silent so soon that it is
 * mostly alive still, and the sweep is killed at one of its requests so often.
 */
export const SWEEP = { everySeconds: 60, stalledSeconds: 45, killed: 0.3 } as const;

/** Of deliveries before which no function is at work. */
export const PEOPLE = {
  /** Collect the bucket's garbage, without a grace period. */
  collect: 0.03,
  /** The queue loses whatever is in it: only the sweep is left. */
  lose: 0.004,
  /** The job is stopped by a limit, the garbage collected, the job redriven. */
  redrive: 0.01,
  /** The job is paused; then each time that somebody looks, it is resumed by this chance. */
  pause: 0.01,
  resume: 0.3,
} as const;

export interface StoreFault {
  readonly name: string;
  /** Of requests that it concerns. */
  readonly chance: number;
  readonly methods: readonly string[];
  /** @param pass has the request done @param wait lets virtual seconds pass */
  readonly act: (
    pass: () => Promise<S3Answer>,
    random: Random,
    wait: (seconds: number) => void,
    request: S3Request,
  ) => Promise<S3Answer>;
}

const ANY = ['GET', 'HEAD', 'PUT'];
const reset = () => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });

/** The first part of a body; then the connection is gone, or it just ends. */
function cut({ body, ...answer }: S3Answer, random: Random): S3Answer {
  if (!(body instanceof Uint8Array) || body.length === 0 || answer.statusCode !== 200)
    return { ...answer, body };
  const part = body.subarray(0, random.below(body.length));
  const torn = random.uniform() < 0.5;
  const stream = Readable.from(
    (function* () {
      yield part;
      if (torn) throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    })(),
  );
  return { ...answer, body: stream };
}

export const STORE_FAULTS: readonly StoreFault[] = [
  {
    name: '500 InternalError',
    chance: 0.02,
    methods: ANY,
    act: () => Promise.resolve(s3Error(500, 'InternalError')),
  },
  {
    name: '503 SlowDown',
    chance: 0.02,
    methods: ANY,
    act: () => Promise.resolve(s3Error(503, 'SlowDown')),
  },
  { name: 'no answer, nothing done', chance: 0.01, methods: ANY, act: () => Promise.reject(reset()) },
  {
    // The client's second try then finds its own object there: 412.
    name: 'no answer, but done',
    chance: 0.06,
    methods: ['PUT'],
    act: (pass) =>
      pass().then(() => {
        throw reset();
      }),
  },
  {
    name: '409 ConditionalRequestConflict',
    chance: 0.06,
    methods: ['PUT'],
    act: () => Promise.resolve(s3Error(409, 'ConditionalRequestConflict')),
  },
  {
    name: '412 of what was written',
    chance: 0.06,
    methods: ['PUT'],
    act: (pass) => pass().then(() => s3Error(412, 'PreconditionFailed')),
  },
  {
    name: 'truncated body',
    chance: 0.03,
    methods: ['GET'],
    act: async (pass, random) => cut(await pass(), random),
  },
  {
    // Longer than the visibility timeout now and then: the message is out again while this one is at it.
    name: 'slow',
    chance: 0.02,
    methods: ANY,
    act(pass, random, wait) {
      wait(1 + random.below(45));
      return pass();
    },
  },
];

/** @returns the fault of this request, if any */
export function faultOf(draw: Draw, id: string, { method }: S3Request): StoreFault | undefined {
  return STORE_FAULTS.find(
    ({ name, chance, methods }) => methods.includes(method) && draw(`${name} of ${id}`).uniform() < chance,
  );
}
