/** The cloud half: object store, task queue, token secret, and the four functions with what each may do. */
import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { EventSourceMapping, FunctionUrlAuthType, InvokeMode } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { createObjectStore } from './object-store.ts';
import { ServiceFunction } from './service-function.ts';
import type { Settings } from './settings.ts';
import { TaskQueue } from './task-queue.ts';
import { TokenSecret } from './token-secret.ts';

/** One whole vCPU begins here (AWS: "at 1,769 MB, a function has the equivalent of one vCPU"); sessions have one thread. */
const ONE_CPU_MB = 1769;

/** A shard is seconds to a minute of work; the merge and evaluation of a large model are the longest. */
const FLEET_TIMEOUT = Duration.minutes(5);
/** The watch of a round sends missing shards again after this long: not before their first run must have ended. */
const WATCH_SECONDS = FLEET_TIMEOUT.toSeconds();
/** By then the first execution of a shard and a copy of it have both been killed. */
const LOST_SECONDS = 2 * FLEET_TIMEOUT.toSeconds();
/** Five seconds above the longest event stream (MAX_STREAM_MS in cloud/api/events.ts). */
const API_TIMEOUT = Duration.seconds(60);
/** A cold model is loaded within the request; the router gives up at its own deadline, 10 s unless asked. */
const INFERENCE_TIMEOUT = Duration.seconds(30);
/** A look through two hundred jobs is a second or two. */
const SWEEP_TIMEOUT = Duration.minutes(1);
/** A job counts as silent after 20 minutes (STALLED_S in core/jobs/sweep.ts). */
const SWEEP_EVERY = Duration.minutes(5);

export interface CausewayStackProps extends StackProps {
  readonly settings: Settings;
}

export class CausewayStack extends Stack {
  constructor(scope: Construct, id: string, { settings, ...props }: CausewayStackProps) {
    super(scope, id, props);
    const store = createObjectStore(this, settings.r2);
    const tasks = new TaskQueue(this, 'Tasks', { workTimeout: FLEET_TIMEOUT });
    store.announceInbox(tasks);
    const token = new TokenSecret(this, 'Token');

    const fleet = new ServiceFunction(this, 'Fleet', {
      entry: 'cloud/training/handler.ts',
      description: 'Causeway fleet: plan, shard, merge, watch, release; execute, gather, recheck',
      memoryMb: ONE_CPU_MB,
      timeout: FLEET_TIMEOUT,
      onnxRuntime: true,
    })
      // A job spec may also come as a message: the fleet then accepts the job and files it as the API would.
      .bind(
        store.bind({
          // Of outputs only what another delivery wrote first.
          read: ['datasets/*', 'blobs/*', 'jobs/*', 'models/*', 'outputs/*', 'inbox/*'],
          write: [
            'blobs/*',
            'jobs/*',
            'index/jobs/*',
            'models/*/releases/*',
            'models/*/channels/*',
            'outputs/*',
            'outbox/*',
          ],
        }),
      )
      .bind(tasks.bindSender())
      .bind(tasks.bindConsumer())
      .bind(tasks.bindBurier())
      .bind({
        environment: {
          CAUSEWAY_WATCH_SECONDS: String(WATCH_SECONDS),
          CAUSEWAY_LOST_SECONDS: String(LOST_SECONDS),
        },
        statements: [],
        wildcards: 'None.',
      });
    const source = new EventSourceMapping(this, 'FleetSource', {
      target: fleet.lambda,
      eventSourceArn: tasks.queue.queueArn,
      // A task is a unit of work of its own; in a batch the slowest would hold up the others.
      batchSize: 1,
      reportBatchItemFailures: true,
      maxConcurrency: settings.fleetConcurrency,
    });
    // Lambda tests the permission to receive when the mapping is made.
    source.node.addDependency(fleet);

    const api = new ServiceFunction(this, 'Api', {
      entry: 'cloud/api/handler.ts',
      description: 'Causeway jobs and models API',
      memoryMb: 512,
      timeout: API_TIMEOUT,
      onnxRuntime: false,
    })
      .bind(
        store.bind({
          read: ['datasets/*', 'blobs/*', 'jobs/*', 'index/jobs/*', 'models/*'],
          write: [
            'jobs/*/spec.json',
            'jobs/*/result*.json',
            'jobs/*/control/*',
            'index/jobs/*',
            // The files of a release under other words.
            'models/*/releases/*',
            'models/*/channels/*',
          ],
        }),
      )
      .bind(tasks.bindSender())
      .bind(tasks.bindExhumer())
      .bind(tasks.bindObserver())
      .bind(token.bind());

    const inference = new ServiceFunction(this, 'Inference', {
      entry: 'cloud/inference/handler.ts',
      description: 'Causeway native inference',
      // Loaded models may take 1 GiB (CLOUD_CONFIG in core/inference/config.ts); the rest is Node, requests, answers.
      memoryMb: ONE_CPU_MB,
      timeout: INFERENCE_TIMEOUT,
      onnxRuntime: true,
    })
      .bind(store.bind({ read: ['models/*', 'blobs/*'], write: [] }))
      .bind(token.bind());

    const sweep = new ServiceFunction(this, 'Sweep', {
      entry: 'cloud/sweep/handler.ts',
      description: 'Causeway sweep: announces jobs again of which no message is left',
      memoryMb: 256,
      timeout: SWEEP_TIMEOUT,
      onnxRuntime: false,
    })
      .bind(
        store.bind({
          // Of a job everything that says how far it is; the index is listed.
          read: ['jobs/*'],
          // A result only to give a job up.
          write: ['jobs/*/revivals/*', 'jobs/*/result*.json'],
        }),
      )
      .bind(tasks.bindSender());
    const schedule = new Rule(this, 'SweepSchedule', {
      description: 'Looks for jobs of which no message is left',
      schedule: Schedule.rate(SWEEP_EVERY),
    });
    // The next call comes in five minutes: one that failed need not be tried again.
    schedule.addTarget(new LambdaFunction(sweep.lambda, { retryAttempts: 0 }));

    this.#output('JobsUrl', publicUrl(api, InvokeMode.RESPONSE_STREAM), 'JOBS_URL of the router');
    this.#output('InferenceUrl', publicUrl(inference, InvokeMode.BUFFERED), 'CLOUD_URL of the router');
    this.#output('BucketName', store.bucketName, 'The object store');
    this.#output('QueueUrl', tasks.queue.queueUrl, 'Takes tasks, and job specs');
    this.#output('DeadLetterQueueUrl', tasks.deadLetters.queueUrl, 'Tasks that failed too often');
    this.#output('TokenSecretName', token.secret.secretName, 'CLOUD_TOKEN_SECRET of the router');
  }

  #output(id: string, value: string, description: string): CfnOutput {
    return new CfnOutput(this, id, { value, description });
  }
}

/** Open to the network: the caller is a Worker without AWS credentials, and the function checks its token first. */
function publicUrl({ lambda }: ServiceFunction, invokeMode: InvokeMode): string {
  return lambda.addFunctionUrl({ authType: FunctionUrlAuthType.NONE, invokeMode }).url;
}
