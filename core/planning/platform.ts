/** What a round's parts take where a job runs: times, limits, prices. Seconds, bytes, US dollars. */
import { PRICES, type Prices } from '../costs/prices.ts';
import type { Distribution } from '../simulation/distribution.ts';

/** Of what a function reads from the store, and of what it writes there. */
export interface Transfer {
  readonly read: number;
  readonly written: number;
}

export interface Platform {
  readonly name: string;
  /** One request to the store, without the time its bytes take. */
  readonly read: Distribution;
  readonly write: Distribution;
  /** One request to the queue, of up to ten messages. */
  readonly send: Distribution;
  /** From a message that was sent to the function that is called with it. */
  readonly hop: Distribution;
  /** Before a new function's handler is called. */
  readonly coldStart: Distribution;
  /** After so many seconds without a call a function is gone. */
  readonly keptWarm: number;
  /** Between the store and one function, however many connections it has. */
  readonly bytesPerSecond: Transfer;
  readonly connections: number;
  /** Functions at once; at first fewer, and more with every second for which messages wait. */
  readonly concurrency: number;
  readonly ramp: { readonly initial: number; readonly perSecond: number };
  readonly memoryGb: number;
  /** Times that a function computes as fast as where steps were measured. */
  readonly speed: number;
  /** Factor on the computing time of one execution: some functions are slower than others. */
  readonly slowness: Distribution;
  /** Share of the executions that die half-way; the queue hands the message out again after `visibility`. */
  readonly deaths: number;
  readonly visibility: number;
  /** Of the watch (core/jobs/stragglers.ts). */
  readonly watchSeconds: number;
  readonly prices: Prices;
}

/** One machine that is rented by the hour, for the same work in one process on one of its cores. */
export interface Machine {
  readonly name: string;
  readonly dollarsPerHour: number;
  readonly leastSeconds: number;
  /** Until it computes. */
  readonly start: number;
  readonly speed: number;
}

const MB = 1e6;

/**
 * AWS Lambda, SQS and S3, by figures that are published where it says so. Everything is of one region, without free
 * tiers.
 */
export const AWS: Platform = {
  name: 'aws',
  // Published: "consistent small object latencies (and first-byte-out latencies for larger objects) of roughly
  // 100–200 milliseconds", docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html. That it is uniform
  // in between, and as much for writes, is assumed.
  read: { kind: 'uniform', low: 0.1, high: 0.2 },
  write: { kind: 'uniform', low: 0.1, high: 0.2 },
  // Published: 20 ms, the example in docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
  // sqs-throughput-horizontal-scaling-and-batching.html. Its spread is assumed.
  send: { kind: 'lognormal', median: 0.02, sigma: 0.5 },
  // Assumed: a long poll that returns, and a call; "tens or low hundreds of milliseconds" each by the SQS FAQ
  // (aws.amazon.com/sqs/faqs).
  hop: { kind: 'lognormal', median: 0.1, sigma: 0.5 },
  // Published: "from under 100 ms to over 1 second", docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.
  // Assumed: at the long end, with the runtime's 25 to 46 MB of native code.
  coldStart: { kind: 'lognormal', median: 1, sigma: 0.3 },
  // Measured by others: five to seven minutes, mikhail.io/serverless/coldstarts/aws.
  keptWarm: 300,
  // Published for one connection: one request at a time for each 85–90 MB/s that are wanted (November 2026,
  // docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-design-patterns.html). Assumed: one function
  // gets hardly as much over all of its connections; others saw 400 to 700 Mbit/s.
  bytesPerSecond: { read: 75 * MB, written: 75 * MB },
  // The AWS SDK's own limit.
  connections: 50,
  // Published: five at first, 300 more a minute, at most 1,000 for one event source,
  // docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html. Assumed: what it grew to, it keeps for the job.
  concurrency: 1_000,
  ramp: { initial: 5, perSecond: 5 },
  // What the stack deploys with: published as the memory that comes with one vCPU,
  // docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html.
  memoryGb: 1769 / 1024,
  // Assumed: as fast as one core of the machine that measures. `--speed` says otherwise.
  speed: 1,
  // Assumed: a deviation of 5 %. Published are savings of up to 13 % by choosing the faster functions (Ginzburg & Freedman
  // 2020, "Serverless Isn't Server-Less", WoSC).
  slowness: { kind: 'lognormal', median: 1, sigma: 0.05 },
  deaths: 0,
  visibility: 5_400,
  watchSeconds: 300,
  prices: PRICES.s3,
};

/**
 * Amazon EC2 c7g.medium: one core of the processor that Lambda's arm64 functions are said to run on. On demand, Linux,
 * us-east-1, by the second with a least of one minute (aws.amazon.com/ec2/pricing/on-demand): 0.0363 in AWS's price list
 * of us-east-1 by public tables made from it on 16 September and 8 October 2026. Assumed: 40 s to start.
 */
export const C7G_MEDIUM: Machine = {
  name: 'c7g.medium',
  dollarsPerHour: 0.0363,
  leastSeconds: 60,
  start: 40,
  speed: 1,
};

/** What a look at the local stack tells. Seconds a request, bytes a second. */
export interface LocalFigures {
  readonly read: number;
  readonly write: number;
  readonly send: number;
  readonly bytesPerSecond: Transfer;
  readonly concurrency: number;
}

/** The stack of `causeway up`: times are measured, prices are what the same would cost on AWS. */
export function localPlatform(figures: LocalFigures): Platform {
  const { read, write, send, bytesPerSecond, concurrency } = figures;
  return {
    ...AWS,
    name: 'local',
    read,
    write,
    send,
    // A long poll is answered, the function is called in this machine.
    hop: 2 * send,
    coldStart: 0.5,
    keptWarm: 1e9,
    bytesPerSecond,
    // One process serves them all, one after another.
    connections: 1,
    concurrency,
    ramp: { initial: concurrency, perSecond: 1 },
    slowness: 1,
    watchSeconds: 20,
  };
}
