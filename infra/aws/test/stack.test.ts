/** The template without bundling: what each function may do, and what protects the data. */
import { App, Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, test } from 'vitest';
import { MAX_STREAM_MS } from '../../../cloud/api/events.ts';
import { readSettings, type Settings } from '../lib/settings.ts';
import { CausewayStack } from '../lib/stack.ts';

const R2 = { endpoint: 'https://r2.example', bucket: 'causeway', credentialsSecret: 'causeway/r2' };

function app(): App {
  return new App({ context: { 'aws:cdk:bundling-stacks': [] } });
}

function templateOf(settings: Settings = { fleetConcurrency: 50 }): Template {
  return Template.fromStack(new CausewayStack(app(), 'Causeway', { settings }));
}

interface Statement {
  readonly Sid: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
}

/** `s3:GetObject /blobs/*`, … : the actions of a function's role and what follows the ARN. */
function permissions(template: Template, name: string): string[] {
  const policies = Object.entries(template.findResources('AWS::IAM::Policy')).filter(([id]) =>
    id.startsWith(`${name}Policy`),
  );
  expect(policies).toHaveLength(1);
  const statements = policies[0]![1]['Properties'].PolicyDocument.Statement as Statement[];
  return statements
    .flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) =>
        [Resource].flat().map((resource) => {
          const suffix = /"(\/[^"]*)"/.exec(JSON.stringify(resource))?.[1] ?? '';
          return `${action} ${suffix}`.trim();
        }),
      ),
    )
    .sort();
}

const LOGS = ['logs:CreateLogStream', 'logs:PutLogEvents'];

describe('permissions', () => {
  const template = templateOf();

  test('inference only reads releases and blobs', () => {
    expect(permissions(template, 'Inference')).toEqual([
      ...LOGS,
      's3:GetObject /blobs/*',
      's3:GetObject /models/*',
      's3:ListBucket',
      'secretsmanager:GetSecretValue',
    ]);
  });

  test('the API writes specs, results, controls, the index, releases and channels, sends and counts tasks, takes out dead letters', () => {
    expect(permissions(template, 'Api').filter((each) => !each.startsWith('s3:GetObject'))).toEqual([
      ...LOGS,
      's3:ListBucket',
      's3:PutObject /index/jobs/*',
      's3:PutObject /jobs/*/control/*',
      's3:PutObject /jobs/*/result*.json',
      's3:PutObject /jobs/*/spec.json',
      's3:PutObject /models/*/channels/*',
      's3:PutObject /models/*/releases/*',
      'secretsmanager:GetSecretValue',
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      // Of both queues.
      'sqs:GetQueueAttributes',
      'sqs:GetQueueAttributes',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
    ]);
  });

  test('the fleet never writes datasets and holds no token secret', () => {
    expect(permissions(template, 'Fleet')).toEqual([
      ...LOGS,
      's3:GetObject /blobs/*',
      's3:GetObject /datasets/*',
      's3:GetObject /inbox/*',
      's3:GetObject /jobs/*',
      's3:GetObject /models/*',
      's3:GetObject /outputs/*',
      's3:ListBucket',
      's3:PutObject /blobs/*',
      's3:PutObject /index/jobs/*',
      's3:PutObject /jobs/*',
      's3:PutObject /models/*/channels/*',
      's3:PutObject /models/*/releases/*',
      's3:PutObject /outbox/*',
      's3:PutObject /outputs/*',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
      'sqs:SendMessage',
    ]);
  });

  test('the sweep reads jobs, announces them, and writes that it did or that one is given up', () => {
    expect(permissions(template, 'Sweep')).toEqual([
      ...LOGS,
      's3:GetObject /jobs/*',
      's3:ListBucket',
      's3:PutObject /jobs/*/result*.json',
      's3:PutObject /jobs/*/revivals/*',
      'sqs:SendMessage',
    ]);
  });

  test('roles hold no managed policy, and there is none but the four', () => {
    const roles = template.findResources('AWS::IAM::Role');
    expect(Object.keys(roles)).toHaveLength(4);
    for (const role of Object.values(roles)) expect(role['Properties'].ManagedPolicyArns).toBeUndefined();
    template.resourceCountIs('AWS::IAM::Policy', 4);
  });
});

describe('resources', () => {
  const template = templateOf();

  test('the bucket is private, encrypted, TLS only, and stays', () => {
    template.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'Retain',
      Properties: {
        BucketEncryption: Match.anyValue(),
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        LifecycleConfiguration: {
          Rules: Match.arrayWith([Match.objectLike({ Prefix: 'jobs/', ExpirationInDays: 30 })]),
        },
      },
    });
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ]),
      },
    });
  });

  test('no expiry touches what lasts', () => {
    const [bucket] = Object.values(template.findResources('AWS::S3::Bucket'));
    const rules = bucket!['Properties'].LifecycleConfiguration.Rules as Record<string, string>[];
    const expiring = rules.filter((rule) => 'ExpirationInDays' in rule).map((rule) => rule['Prefix']);
    expect(expiring).toEqual(['jobs/', 'index/jobs/', 'inbox/', 'outbox/']);
  });

  test('the bucket tells the task queue of job specs in the inbox, and may do so before it is made', () => {
    const [bucket] = Object.values(template.findResources('AWS::S3::Bucket'));
    expect(bucket!['Properties'].NotificationConfiguration.QueueConfigurations).toEqual([
      {
        Event: 's3:ObjectCreated:*',
        Filter: {
          S3Key: {
            Rules: [
              { Name: 'prefix', Value: 'inbox/' },
              { Name: 'suffix', Value: '.json' },
            ],
          },
        },
        Queue: { 'Fn::GetAtt': [expect.stringMatching(/^Tasks/), 'Arn'] },
      },
    ]);
    const policies = Object.entries(template.findResources('AWS::SQS::QueuePolicy')).filter(([, policy]) =>
      JSON.stringify(policy).includes('s3.amazonaws.com'),
    );
    expect(policies).toHaveLength(1);
    const [id, policy] = policies[0]!;
    expect(bucket!['DependsOn']).toContain(id);
    expect(policy['Properties'].PolicyDocument.Statement).toContainEqual(
      expect.objectContaining({
        Sid: 'AnnounceInbox',
        Action: 'sqs:SendMessage',
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      }),
    );
  });

  test('a task stays invisible for six timeouts, and is set aside after five deliveries', () => {
    template.hasResourceProperties('AWS::SQS::Queue', {
      VisibilityTimeout: 1800,
      RedrivePolicy: { maxReceiveCount: 5 },
    });
    template.hasResourceProperties('AWS::Lambda::Function', {
      Timeout: 300,
      Environment: { Variables: { CAUSEWAY_MAX_RECEIVES: '5', CAUSEWAY_WATCH_SECONDS: '300' } },
    });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 1,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 50 },
    });
  });

  test('the sweep is called every five minutes, by its rule alone', () => {
    const [id] = Object.keys(template.findResources('AWS::Events::Rule'));
    const [sweep] = Object.keys(
      template.findResources('AWS::Lambda::Function', {
        Properties: { Description: Match.stringLikeRegexp('sweep') },
      }),
    );
    template.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(5 minutes)',
      State: 'ENABLED',
      Targets: [Match.objectLike({ Arn: { 'Fn::GetAtt': [sweep, 'Arn'] } })],
    });
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Action: 'lambda:InvokeFunction',
      Principal: 'events.amazonaws.com',
      FunctionName: { 'Fn::GetAtt': [sweep, 'Arn'] },
      SourceArn: { 'Fn::GetAtt': [id, 'Arn'] },
    });
  });

  test('every function is Node 24 on arm64', () => {
    template.allResourcesProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
    });
    template.resourceCountIs('AWS::Lambda::Function', 4);
  });

  test('the API streams and outlives its longest event stream, inference is buffered', () => {
    template.hasResourceProperties('AWS::Lambda::Url', { InvokeMode: 'RESPONSE_STREAM' });
    template.hasResourceProperties('AWS::Lambda::Url', { InvokeMode: 'BUFFERED' });
    const [api] = Object.values(
      template.findResources('AWS::Lambda::Function', {
        Properties: { Description: Match.stringLikeRegexp('API') },
      }),
    );
    expect(api!['Properties'].Timeout * 1000).toBeGreaterThan(MAX_STREAM_MS);
  });

  test('no secret value is in the template', () => {
    expect(JSON.stringify(template.toJSON())).not.toContain('{{resolve:');
  });
});

test('with R2 there is no bucket and no S3 permission; functions read its credentials', () => {
  const template = templateOf({ fleetConcurrency: 2, r2: R2 });
  template.resourceCountIs('AWS::S3::Bucket', 0);
  expect(JSON.stringify(template.toJSON())).not.toContain('s3:');
  template.allResourcesProperties('AWS::Lambda::Function', {
    Environment: {
      Variables: Match.objectLike({
        AWS_ENDPOINT_URL_S3: R2.endpoint,
        CAUSEWAY_BUCKET: R2.bucket,
        CAUSEWAY_S3_REGION: 'auto',
        CAUSEWAY_S3_CREDENTIALS_ARN: Match.anyValue(),
      }),
    },
  });
});

describe('settings', () => {
  const read = (context: Record<string, unknown>) => readSettings((key) => context[key]);

  test('have defaults', () => expect(read({})).toEqual({ fleetConcurrency: 50 }));

  test('take R2 whole', () =>
    expect(
      read({ r2Endpoint: R2.endpoint, r2Bucket: R2.bucket, r2CredentialsSecret: R2.credentialsSecret }).r2,
    ).toEqual(R2));

  test.each([
    [{ fleetConcurrency: '1' }, /fleetConcurrency is "1"; a whole number from 2 to 1000/],
    [{ fleetConcurrency: 'many' }, /fleetConcurrency/],
    [{ r2Bucket: 'causeway' }, /r2Endpoint is missing/],
    [
      { r2Endpoint: 'http://r2', r2Bucket: 'b', r2CredentialsSecret: 's' },
      /r2Endpoint is http:\/\/r2; https/,
    ],
  ])('refuse %j', (context, message) => expect(() => read(context)).toThrow(message));
});

describe('cdk-nag', () => {
  /** Synthesis throws where a rule is violated and nobody gave a reason. */
  const synth = (settings: Settings, add: (stack: CausewayStack) => unknown = () => {}) => {
    const checked = app();
    Validations.of(checked).addPlugins(new AwsSolutionsChecks());
    add(new CausewayStack(checked, 'Causeway', { settings }));
    return checked.synth();
  };

  test.each([{ fleetConcurrency: 50 }, { fleetConcurrency: 50, r2: R2 }])(
    'finds nothing in %j',
    (settings) => {
      expect(() => synth(settings)).not.toThrow();
    },
  );

  test('does look', () => {
    expect(() => synth({ fleetConcurrency: 50 }, (stack) => new Bucket(stack, 'Open'))).toThrow(
      /AwsSolutions-S10/,
    );
  });
});
