/** The fleet's clock: one queue of tasks, and the queue of those that failed too often. */
import { Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Queue, QueueEncryption, QueuePolicy } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Binding } from './binding.ts';

/** Deliveries of a task before it is set aside; the fleet ends the job at the last one. */
export const MAX_RECEIVES = 5;

const NO_WILDCARDS = 'None.';

export interface TaskQueueProps {
  /** The timeout of the function that works the queue off. */
  readonly workTimeout: Duration;
}

export class TaskQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, { workTimeout }: TaskQueueProps) {
    super(scope, id);
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // The longest SQS keeps: time to look at what failed.
      retentionPeriod: Duration.days(14),
    });
    this.queue = new Queue(this, 'Tasks', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // AWS asks for six times: a throttled delivery is tried again before it counts as lost.
      visibilityTimeout: Duration.seconds(6 * workTimeout.toSeconds()),
      retentionPeriod: Duration.days(4),
      receiveMessageWaitTime: Duration.seconds(20),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: MAX_RECEIVES },
    });
  }

  bindSender(): Binding {
    return {
      environment: { CAUSEWAY_QUEUE_URL: this.queue.queueUrl },
      statements: [this.#statement('SendTasks', 'sqs:SendMessage')],
      wildcards: NO_WILDCARDS,
    };
  }

  /** What an event source mapping needs of the function's role, and no more. */
  bindConsumer(): Binding {
    return {
      environment: { CAUSEWAY_MAX_RECEIVES: String(MAX_RECEIVES) },
      statements: [
        this.#statement('WorkOffTasks', 'sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'),
      ],
      wildcards: NO_WILDCARDS,
    };
  }

  /** Sets aside what no retry mends. */
  bindBurier(): Binding {
    return this.#deadLetters('BuryTasks', 'sqs:SendMessage');
  }

  /** Takes the dead letters of a job that is redriven out again. */
  bindExhumer(): Binding {
    return this.#deadLetters(
      'ExhumeTasks',
      'sqs:ReceiveMessage',
      'sqs:DeleteMessage',
      'sqs:ChangeMessageVisibility',
    );
  }

  /** Tells how many messages there are. How old they are only CloudWatch knows. */
  bindObserver(): Binding {
    return {
      environment: {},
      statements: [
        new PolicyStatement({
          sid: 'CountTasks',
          actions: ['sqs:GetQueueAttributes'],
          resources: [this.queue.queueArn, this.deadLetters.queueArn],
        }),
      ],
      wildcards: NO_WILDCARDS,
    };
  }

  #deadLetters(sid: string, ...actions: string[]): Binding {
    return {
      environment: { CAUSEWAY_DEAD_LETTER_URL: this.deadLetters.queueUrl },
      statements: [new PolicyStatement({ sid, actions, resources: [this.deadLetters.queueArn] })],
      wildcards: NO_WILDCARDS,
    };
  }

  /**
   * Lets buckets of this account send their notifications. The bucket cannot be named: it is made after the policy that
   * it needs, and so has no name yet.
   * @returns the policy
   */
  admitBuckets(): QueuePolicy {
    this.queue.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AnnounceInbox',
        actions: ['sqs:SendMessage'],
        principals: [new ServicePrincipal('s3.amazonaws.com')],
        resources: [this.queue.queueArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    return this.queue.node.findAll().find((child) => child instanceof QueuePolicy)!;
  }

  #statement(sid: string, ...actions: string[]): PolicyStatement {
    return new PolicyStatement({ sid, actions, resources: [this.queue.queueArn] });
  }
}
