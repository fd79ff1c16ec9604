/** A function as all of ours are: one handler of cloud/, bundled; a role of its own that holds only what is bound. */
import { type Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, LoggingFormat, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, OutputFormat, SourceMapMode } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { type Binding, wildcardFindings } from './binding.ts';
import { fromRepository, REPOSITORY } from './paths.ts';

export interface ServiceFunctionProps {
  /** Relative to the repository: the very handler the local stack drives. */
  readonly entry: string;
  readonly description: string;
  readonly memoryMb: number;
  readonly timeout: Duration;
  /** True: ONNX Runtime's native library lies in the bundle. */
  readonly onnxRuntime: boolean;
}

/** Cheaper per second than x86 and as quick per core for ONNX Runtime's kernels; its library is also half the size. */
const ARCHITECTURE = Architecture.ARM_64;
/** The directory of ONNX Runtime's binaries spells it as Node's process.arch does. */
const NODE_ARCHITECTURE = 'arm64';

/** Some of the dependencies are CommonJS and call `require`, which an ES module does not have. */
const REQUIRE_BANNER =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

export class ServiceFunction extends Construct {
  readonly lambda: NodejsFunction;
  readonly role: Role;
  readonly #policy: Policy;

  constructor(scope: Construct, id: string, props: ServiceFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Logs', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    this.#policy = new Policy(this, 'Policy', { roles: [this.role] });
    this.lambda = new NodejsFunction(this, 'Function', {
      entry: fromRepository(props.entry),
      handler: 'handler',
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: ARCHITECTURE,
      memorySize: props.memoryMb,
      timeout: props.timeout,
      // Immutable: CDK must not add to it what we do not see.
      role: this.role.withoutPolicyUpdates(),
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      projectRoot: REPOSITORY,
      depsLockFilePath: fromRepository('package-lock.json'),
      environment: { NODE_OPTIONS: '--enable-source-maps' },
      awsSdkConnectionReuse: false,
      bundling: {
        format: OutputFormat.ESM,
        target: 'node24',
        mainFields: ['module', 'main'],
        banner: REQUIRE_BANNER,
        minify: true,
        // Error names go into logs and answers.
        keepNames: true,
        sourceMap: true,
        sourceMapMode: SourceMapMode.DEFAULT,
        sourcesContent: false,
        // The SDK is bundled too: the versions that were tested, not those of the day's Lambda image.
        externalModules: ['onnxruntime-node'],
        commandHooks: {
          beforeInstall: () => [],
          beforeBundling: () => [],
          afterBundling: (_input, output) => (props.onnxRuntime ? [copyCommand(output)] : []),
        },
      },
    });
    // No request before it may do what it must.
    this.lambda.node.addDependency(this.#policy);
    this.bind({
      environment: {},
      statements: [
        new PolicyStatement({
          sid: 'WriteLogs',
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [logGroup.logGroupArn],
        }),
      ],
      wildcards: 'The log streams of its own log group: Lambda names them.',
    });
  }

  /** Gives the function the permission and the environment of one thing it works with. */
  bind({ environment, statements, wildcards }: Binding): this {
    for (const [name, value] of Object.entries(environment)) this.lambda.addEnvironment(name, value);
    this.#policy.addStatements(...statements);
    for (const id of statements.flatMap((statement) => wildcardFindings(this, statement)))
      Validations.of(this.#policy).acknowledge({ id, reason: wildcards });
    return this;
  }
}

const copyCommand = (output: string) =>
  [process.execPath, fromRepository('infra/aws/lib/copy-onnxruntime.ts'), output, 'linux', NODE_ARCHITECTURE]
    .map((word) => JSON.stringify(word))
    .join(' ');
