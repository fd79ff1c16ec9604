import { Command } from 'commander';
import type { Stack } from '../../local/stack.ts';
import { type Client, createClient } from '../client.ts';
import { DEFAULT_PORT, stateDirectory } from '../connection.ts';
import { ensureMnist, sampleLine, sendSamples, summarize, type Summary } from '../main-job.ts';
import { ACCURACY_GOAL } from '../mnist.ts';
import { duration, percent, printJson } from '../output.ts';
import { several, stateOption, wholeNumber } from './options.ts';

/** As many as a function of the local Lambda takes. */
const MOST_CLOUD_CONCURRENCY = 64;

interface UpOptions {
  readonly port: number;
  readonly state?: string;
  readonly once?: boolean;
  readonly bare?: boolean;
  readonly var: readonly string[];
  readonly cloudVar: readonly string[];
  readonly cloudConcurrency: number;
}

export function upCommand(): Command {
  return new Command('up')
    .description('run the whole system on this machine; the first time, train and release mnist')
    .option('--port <port>', 'of the router, 0 for any free one', wholeNumber(0, 65_535), DEFAULT_PORT)
    .addOption(stateOption())
    .option('--once', 'exit after the summary; the last line is one JSON object')
    .option('--bare', 'start the stack only: no training, no samples')
    .option('--var <name:value>', 'a variable of the Workers (docs/routing.md, docs/serving.md)', several, [])
    .option('--cloud-var <name:value>', "a variable of the cloud's inference function", several, [])
    .option(
      '--cloud-concurrency <n>',
      'requests at once in one environment of it (docs/serving.md)',
      wholeNumber(1, MOST_CLOUD_CONCURRENCY),
      1,
    )
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  const started = performance.now();
  const interrupted = onInterrupt();
  const stateDir = stateDirectory(options.state);
  console.log('Causeway: starting the Workers, the bucket, the queue and the functions …');
  // The stack's parts are many: only this command waits for them to load.
  const { startStack } = await import('../../local/stack.ts');
  const stack = await startStack({
    stateDir,
    port: options.port,
    log: (line) => process.stderr.write(`${line}\n`),
    variables: options.var,
    cloudVariables: options.cloudVar,
    cloudConcurrency: options.cloudConcurrency,
  });
  // Whoever still follows a job would wait for a stack that is gone.
  const stopping = new AbortController();
  try {
    console.log(`ready in ${duration((performance.now() - started) / 1000)}\n${addresses(stack)}`);
    if (options.bare !== true) {
      const client = createClient(stack.routerUrl, undefined, stopping.signal);
      const summary = await Promise.race([mainJob(stack, client), interrupted]);
      if (summary === undefined) {
        console.log('\nstopping …');
        process.exitCode = INTERRUPTED;
        return;
      }
      if (options.once === true) {
        printJson(summary);
        if (!reached(summary)) process.exitCode = 1;
        return;
      }
    }
    console.log(`\n${whatToTry(stack.routerUrl)}\n\nServing. Ctrl-C stops everything.`);
    await interrupted;
    console.log('\nstopping …');
  } finally {
    stopping.abort();
    await stack.stop();
  }
}

async function mainJob(stack: Stack, client: Client): Promise<Summary> {
  const model = await ensureMnist(stack, client);
  console.log(`\nmnist release ${model.release.release}; sample images through the router:`);
  const samples = await sendSamples(stack, client, (sample) => console.log(sampleLine(sample)));
  const summary = summarize(model, samples);
  const { accuracy, release, routes } = summary;
  console.log(
    `\nmnist release ${release}: ${percent(accuracy)} of the 10 000 test images; ` +
      `trained in ${duration(summary.trainSeconds)} at ${summary.samplesPerSecond} samples/s; ` +
      `${routes.edge} samples answered by the edge, ${routes.cloud} by the cloud`,
  );
  return summary;
}

/** Did the run reach what it is for? */
function reached({ accuracy, routes }: Summary): boolean {
  return accuracy >= ACCURACY_GOAL && routes.edge > 0 && routes.cloud > 0;
}

/** What a shell says of a process that was interrupted. */
const INTERRUPTED = 130;

/**
 * Resolves at the first Ctrl-C or SIGTERM; a second one ends the process at once. It goes on listening in between: the
 * terminal's helpers (signal-exit) end a process in which nobody else listens, and functions are at work.
 */
function onInterrupt(): Promise<undefined> {
  return new Promise((resolve) => {
    let isFirst = true;
    const act = () => {
      if (!isFirst) process.exit(INTERRUPTED);
      isFirst = false;
      resolve(undefined);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, act);
  });
}

function addresses({ urls, fleetSize }: Stack): string {
  return [
    `  router and dashboard  ${urls.router}`,
    `  bucket (S3 API)       ${urls.s3}`,
    `  queue (SQS API)       ${urls.sqs}`,
    `  jobs API function     ${urls.jobs}`,
    `  inference function    ${urls.inference}`,
    `  fleet                 ${fleetSize} functions at once`,
  ].join('\n');
}

function whatToTry(url: string): string {
  return [
    `Dashboard: ${url}/   metrics: ${url}/metrics   jobs: ${url}/v1/jobs`,
    'Try it:',
    `  node -p 'JSON.stringify({inputs:[{name:"image",shape:[1,784],datatype:"FP32",data:Array(784).fill(0)}]})' > zeros.json`,
    `  curl -si ${url}/v2/models/mnist/infer -H 'content-type: application/json' -d @zeros.json`,
    `  curl -s ${url}/v1/models/mnist/releases`,
  ].join('\n');
}
