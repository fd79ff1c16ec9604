/** The object store both halves share: a bucket of this stack, or an R2 bucket that exists. */
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { INBOX_PREFIX, INBOX_SUFFIX } from '../../../core/contracts/keys.ts';
import type { Binding } from './binding.ts';
import type { R2Settings } from './settings.ts';
import type { TaskQueue } from './task-queue.ts';

/** Key patterns (IAM's `*` also matches `/`) as core/contracts/keys.ts lays them out. */
export interface KeyAccess {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

export interface ObjectStore {
  readonly bucketName: string;
  bind(access: KeyAccess): Binding;
  /** Has the store tell the queue of each job spec that is put into the inbox. R2 has no notifications for SQS. */
  announceInbox(tasks: TaskQueue): void;
}

/** Days after which a job's updates, commits and result go; what lasts, lasts as blobs and releases. */
const JOB_RETENTION_DAYS = 30;

export function createObjectStore(scope: Construct, r2: R2Settings | undefined): ObjectStore {
  return r2 === undefined ? new S3Store(scope, 'Store') : new R2Store(scope, 'Store', r2);
}

class S3Store extends Construct implements ObjectStore {
  readonly #bucket: Bucket;
  readonly bucketName: string;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.#bucket = new Bucket(this, 'Bucket', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // Models and datasets outlive a stack.
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        { id: 'jobs', prefix: 'jobs/', expiration: Duration.days(JOB_RETENTION_DAYS) },
        // The list of jobs must not name jobs whose objects are gone.
        { id: 'job-index', prefix: 'index/jobs/', expiration: Duration.days(JOB_RETENTION_DAYS) },
        { id: 'inbox', prefix: 'inbox/', expiration: Duration.days(JOB_RETENTION_DAYS) },
        { id: 'outbox', prefix: 'outbox/', expiration: Duration.days(JOB_RETENTION_DAYS) },
        { id: 'torn-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
    });
    this.bucketName = this.#bucket.bucketName;
    Validations.of(this.#bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Access logs would double the requests of a training round. Objects are immutable and create-only; who needs an audit trail turns on CloudTrail data events for the bucket.',
    });
  }

  /** Written into the bucket itself: CDK's own way is a function that may configure any bucket of the account. */
  announceInbox(tasks: TaskQueue): void {
    const bucket = this.#bucket.node.defaultChild as CfnBucket;
    bucket.notificationConfiguration = {
      queueConfigurations: [
        {
          event: 's3:ObjectCreated:*',
          queue: tasks.queue.queueArn,
          filter: {
            s3Key: {
              rules: [
                { name: 'prefix', value: INBOX_PREFIX },
                { name: 'suffix', value: INBOX_SUFFIX },
              ],
            },
          },
        },
      ],
    };
    // S3 tests whether it may send when the notification is made.
    bucket.node.addDependency(tasks.admitBuckets());
  }

  bind({ read, write }: KeyAccess): Binding {
    const objects = (patterns: readonly string[]) =>
      patterns.map((pattern) => this.#bucket.arnForObjects(pattern));
    return {
      environment: { CAUSEWAY_BUCKET: this.bucketName },
      statements: [
        new PolicyStatement({ sid: 'ReadObjects', actions: ['s3:GetObject'], resources: objects(read) }),
        ...(write.length === 0
          ? []
          : [
              new PolicyStatement({
                sid: 'CreateObjects',
                actions: ['s3:PutObject'],
                resources: objects(write),
              }),
            ]),
        // Without it S3 answers 403 in place of 404 for a missing key, and absence is what most HEADs here ask
        // about. A condition on s3:prefix would not do: GET and HEAD carry no prefix. It shows names, never bytes.
        new PolicyStatement({
          sid: 'TellMissingFromForbidden',
          actions: ['s3:ListBucket'],
          resources: [this.#bucket.bucketArn],
        }),
      ],
      wildcards:
        'Only under the key prefixes this function works on; the names below them are made at run time.',
    };
  }
}

class R2Store extends Construct implements ObjectStore {
  readonly bucketName: string;
  readonly #endpoint: string;
  readonly #credentials: string;

  constructor(scope: Construct, id: string, { bucket, endpoint, credentialsSecret }: R2Settings) {
    super(scope, id);
    this.bucketName = bucket;
    this.#endpoint = endpoint;
    this.#credentials = Secret.fromSecretNameV2(this, 'Credentials', credentialsSecret).secretArn;
  }

  announceInbox(): void {}

  /** R2's tokens know no key prefixes: make the token for this one bucket, object read and write. */
  bind(): Binding {
    return {
      environment: {
        CAUSEWAY_BUCKET: this.bucketName,
        AWS_ENDPOINT_URL_S3: this.#endpoint,
        CAUSEWAY_S3_REGION: 'auto',
        CAUSEWAY_S3_CREDENTIALS_ARN: this.#credentials,
      },
      statements: [
        new PolicyStatement({
          sid: 'ReadStoreCredentials',
          actions: ['secretsmanager:GetSecretValue'],
          // Secrets Manager appends six random characters to the name.
          resources: [`${this.#credentials}-??????`],
        }),
      ],
      wildcards: 'One secret by name.',
    };
  }
}
