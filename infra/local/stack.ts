/**
 * The whole of Causeway on one machine, over the real wire protocols: the Workers in workerd, a bucket that both the
 * R2 binding and the S3 API see, an SQS server, and the Lambda handlers that ship, in worker threads, driven by an
 * event source mapping and function URLs. The composition mirrors infra/aws and the two wrangler configurations.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import { createSqsClient, sqsQueue } from '../../cloud/adapters/sqs-queue.ts';
import { faultReason } from '../../core/jobs/each.ts';
import { announceUnfinished } from '../../core/jobs/resume.ts';
import type { TaskQueue } from '../../core/queue/task-queue.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { queueAges, taskMetrics } from '../../core/telemetry/fleet-metrics.ts';
import { createRegistry } from '../../core/telemetry/metrics.ts';
import { functionLines } from './function-lines.ts';
import { watchInbox } from './inbox.ts';
import { startEventSourceMapping } from './lambda/event-source-mapping.ts';
import { createFunction, type LambdaFunction } from './lambda/function.ts';
import { startFunctionUrl } from './lambda/function-url.ts';
import type { Invocable } from './lambda/invocation.ts';
import { startSchedule } from './lambda/schedule.ts';
import { lockState } from './lock.ts';
import { startMetricsServer } from './metrics-server.ts';
import { freePort } from './ports.ts';
import { localTokenSecret } from './secrets.ts';
import { startSqsServer } from './sqs/server.ts';
import { localCredentials } from './workers/credentials.ts';
import { cloudVariables, workerVariables } from './variables.ts';
import { BUCKET, type Edge, startEdge } from './workers/edge.ts';

/** Longest run of each function, milliseconds. The deployed ones have the same or more: see infra/aws. */
const TIMEOUT_MS = { fleet: 120_000, api: 60_000, inference: 30_000, sweep: 60_000 };
/** A message whose function died comes back after this; AWS advises six times the function's timeout. */
const VISIBILITY_S = (6 * TIMEOUT_MS.fleet) / 1000;
/** The local fleet loses functions only by being killed: look after a round soon. */
const WATCH_S = 20;
/** A shard from which nothing came for two timeouts is lost: its first execution was killed, and a copy of it too. */
const LOST_S = (2 * TIMEOUT_MS.fleet) / 1000;
/** Unfinished jobs are looked through this often, as deployed. */
const SWEEP_EVERY_S = 300;
/** An event stream holds one environment each. */
const API_CONCURRENCY = 8;

export interface StackOptions {
  readonly stateDir: string;
  /** Of the router; 0: any free one. */
  readonly port: number;
  /** Fleet functions at once; default one per core. */
  readonly fleet?: number;
  readonly log?: (line: string) => void;
  /** Of the Workers, and of the cloud's inference function: `NAME:VALUE` (variables.ts). */
  readonly variables?: readonly string[];
  readonly cloudVariables?: readonly string[];
  /** Requests that one environment of the cloud's inference function takes at once; default 1, as on Lambda. */
  readonly cloudConcurrency?: number;
  /** For fault tests: shorter than what suits people. Seconds. */
  readonly times?: {
    readonly visibilityS?: number;
    readonly watchS?: number;
    readonly lostS?: number;
    readonly sweepEveryS?: number;
    readonly stalledS?: number;
  };
  /** For fault tests: what stands between the queue and the fleet's functions. */
  readonly wrapFleet?: (fleet: LambdaFunction) => Invocable;
}

export interface Stack {
  readonly routerUrl: string;
  readonly urls: Readonly<Record<'router' | 's3' | 'sqs' | 'jobs' | 'inference', string>>;
  readonly store: ObjectStore;
  readonly queue: TaskQueue;
  readonly bundles: Edge['bundles'];
  /** Fleet functions at once. */
  readonly fleetSize: number;
  /** Environment of a process that wants to reach the bucket and the queue with the AWS SDK. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const handlerFile = (path: string) => new URL(`../../cloud/${path}/handler.ts`, import.meta.url);

export async function startStack(options: StackOptions): Promise<Stack> {
  const { stateDir, port, log = () => {}, fleet: fleetSize = availableParallelism() } = options;
  const { times = {} } = options;
  const variables = workerVariables(options.variables ?? []);
  const ofCloud = cloudVariables(options.cloudVariables ?? []);
  const undo: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).toReversed()) await step().catch((thrown) => log(String(thrown)));
  };
  try {
    undo.push(await lockState(stateDir));
    const [secret, s3Port, credentials, sqs] = await Promise.all([
      localTokenSecret(stateDir),
      freePort(),
      localCredentials(stateDir),
      startSqsServer({ stateDir, visibilityTimeoutS: times.visibilityS ?? VISIBILITY_S }),
    ]);
    undo.push(() => sqs.stop());
    const registry = createRegistry();
    const lines = await functionLines({ stateDir, metrics: taskMetrics(registry), log });
    undo.push(() => lines.close());
    queueAges(registry, (queue) => (Date.now() - (sqs.oldestSentAt(queue) ?? Date.now())) / 1000);
    const metrics = await startMetricsServer(() => registry.text());
    undo.push(() => metrics.stop());
    // The edge starts last, as it needs the functions' URLs, and stops after them, as they need its bucket.
    const edgeStop = undo.length;
    const environment = {
      ...sqs.environment,
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${s3Port}`,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      CAUSEWAY_S3_PATH_STYLE: '1',
      CAUSEWAY_BUCKET: BUCKET,
      CAUSEWAY_QUEUE_URL: sqs.queueUrl,
      CAUSEWAY_DEAD_LETTER_URL: sqs.deadLetterQueueUrl,
    };

    const lambda = (
      name: string,
      path: string,
      timeoutMs: number,
      maxConcurrency: number,
      extra = {},
      concurrencyPerEnvironment = 1,
    ) => {
      const made = createFunction({
        name: `causeway-${name}`,
        handlerFile: handlerFile(path),
        environment: { ...environment, ...extra },
        timeoutMs,
        maxConcurrency,
        concurrencyPerEnvironment,
        log,
        takeLine: (line, source) => lines.take(line, source),
      });
      undo.push(() => made.stop());
      return made;
    };
    const token = { CAUSEWAY_TOKEN_SECRET: secret };
    const fleet = lambda('fleet', 'training', TIMEOUT_MS.fleet, fleetSize, {
      CAUSEWAY_WATCH_SECONDS: String(times.watchS ?? WATCH_S),
      CAUSEWAY_LOST_SECONDS: String(times.lostS ?? LOST_S),
    });
    const api = lambda('api', 'api', TIMEOUT_MS.api, API_CONCURRENCY, {
      ...token,
      CAUSEWAY_TASK_METRICS_URL: metrics.url,
    });
    const inference = lambda(
      'inference',
      'inference',
      TIMEOUT_MS.inference,
      fleetSize,
      { ...token, ...ofCloud },
      options.cloudConcurrency,
    );
    const stalled = times.stalledS === undefined ? {} : { CAUSEWAY_STALLED_SECONDS: String(times.stalledS) };
    const sweep = lambda('sweep', 'sweep', TIMEOUT_MS.sweep, 1, stalled);

    const [jobsUrl, inferenceUrl] = await Promise.all([
      startFunctionUrl({ target: api, invokeMode: 'RESPONSE_STREAM' }),
      startFunctionUrl({ target: inference }),
    ]);
    undo.push(
      () => jobsUrl.stop(),
      () => inferenceUrl.stop(),
    );
    const edge = await startEdge({
      stateDir,
      routerPort: port,
      s3Port,
      vars: {
        router: {
          CLOUD_URL: inferenceUrl.url,
          JOBS_URL: jobsUrl.url,
          CLOUD_TOKEN_SECRET: secret,
          // Everything listens on 127.0.0.1: whoever can reach it is this machine's user.
          ALLOW_ANONYMOUS: '1',
          ...variables.router,
        },
        inference: variables.inference,
      },
    });

    undo.splice(edgeStop, 0, () => edge.stop());

    const sqsClient = createSqsClient(environment);
    const s3Client = createS3Client(environment);
    const queue = sqsQueue({ client: sqsClient, queueUrl: sqs.queueUrl });
    const store = s3Store({ client: s3Client, bucket: BUCKET });
    // Before the first poll: a stack that was killed left messages invisible, but its objects say what is unfinished.
    for (const fault of await announceUnfinished(store, queue))
      log(`job ${fault.job} cannot be announced again: ${faultReason(fault)}`);
    const mapping = startEventSourceMapping({
      client: sqsClient,
      queueUrl: sqs.queueUrl,
      queueArn: sqs.queueArn,
      target: options.wrapFleet?.(fleet) ?? fleet,
      log,
    });
    undo.push(() => mapping.stop());
    undo.push(startSchedule({ target: sweep, everySeconds: times.sweepEveryS ?? SWEEP_EVERY_S, log }));
    const sendMessage = async (message: object) => {
      await sqsClient.send(
        new SendMessageCommand({ QueueUrl: sqs.queueUrl, MessageBody: JSON.stringify(message) }),
      );
    };
    undo.push(watchInbox({ store, send: sendMessage, log }));
    const urls = {
      router: edge.routerUrl,
      s3: edge.s3Url,
      sqs: sqs.endpoint,
      jobs: jobsUrl.url,
      inference: inferenceUrl.url,
    };
    await announceStack(stateDir, edge.routerUrl, environment);
    return {
      routerUrl: edge.routerUrl,
      urls,
      store,
      queue,
      bundles: edge.bundles,
      fleetSize,
      environment,
      stop,
    };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Where the other commands find the running stack, keys included: its owner's only. */
async function announceStack(
  stateDir: string,
  routerUrl: string,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const body = JSON.stringify({ v: 1, routerUrl, environment }, null, 2);
  await writeFile(join(stateDir, 'stack.json'), body, { mode: 0o600 });
}
