/**
 * A language model end to end: stories15M out of its checkpoint, text from it, and fine-tuning on Moby Dick by the
 * fleet. `npm run stories` installs what it reads and runs it.
 */
import { parseArgs } from 'node:util';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { readRows } from '../../core/datasets/read.ts';
import { slice } from '../../core/datasets/columns.ts';
import { Fault } from '../../core/errors.ts';
import { nextLogitsOf, type Sampling } from '../../core/language/generate.ts';
import { textRows } from '../../core/language/rows.ts';
import { parseTokenizer, type Tokenizer } from '../../core/language/tokenizer.ts';
import { buildLlama } from '../../core/onnx/builders/llama.ts';
import { decodeModel, encodeModel, type Model } from '../../core/onnx/model.ts';
import { createRandom } from '../../core/random.ts';
import { getBlob, putBlob } from '../../core/storage/blobs.ts';
import { type Client, createClient } from '../cli/client.ts';
import { describe } from '../cli/datasets/describe.ts';
import { count, duration, printJson, table } from '../cli/output.ts';
import { progressLine } from '../cli/progress.ts';
import { type Stack, startStack } from '../local/stack.ts';
import { continuation, nextLogitsFrom } from './continuation.ts';
import { fineTuningJob, LENGTH, NAME, TEST_SHARE, trainingGraph } from './fine-tuning.ts';
import { lossByRound, measure } from './held-out.ts';
import { readSources, type Sources } from './sources.ts';

const PROMPTS = ['Once upon a time', 'The whale'];
/** Tokens of a text, prompt included; the model's context is 256. */
const TEXT_LENGTH = 120;
/** Of the fine-tuned model: having read one book once, it repeats itself where it is always given the likeliest. */
const SAMPLING = { temperature: 0.6, topP: 0.9 };
/** Tokens asked of the router, one request each. */
const SERVED_LENGTH = 24;
/** Held-out rows that show how the loss falls, and after how many rounds each; before and after are of all rows. */
const CURVE_ROWS = 32;
const CURVE_EVERY = 3;

/** `--state <dir>`: of the stack that is started. */
const { state } = parseArgs({ options: { state: { type: 'string', default: '.causeway/stories' } } }).values;

const peakMegabytes = () => Math.round((process.resourceUsage().maxRSS * 1024) / 1e6);

async function timed<T>(work: () => T | Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now();
  return [await work(), performance.now() - started];
}

async function build({ checkpoint, checkpointBytes }: Sources) {
  const { config, weights } = checkpoint;
  const before = peakMegabytes();
  const [model, graphMs] = await timed(() => buildLlama(config, weights));
  const [training, trainingMs] = await timed(() => trainingGraph(model));
  const peak = peakMegabytes();
  const all = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  console.log(
    table(
      ['STORIES15M', '', ''],
      [
        ['checkpoint', `${count(checkpointBytes)} bytes`, `${count(all)} parameters`],
        ['forward graph', `${graphMs.toFixed(0)} ms`, `${model.graph.node.length} nodes, weights not copied`],
        [
          'training graph',
          `${trainingMs.toFixed(0)} ms`,
          `${count(training.graph.length)} bytes; ${count(training.initial.length)} parameters of adapters are trained`,
        ],
        ['peak memory', `${peak} MB`, `of the process; ${before} MB with the checkpoint read`],
      ],
    ),
  );
  return { model, figures: { graphMs, trainingGraphMs: trainingMs, trainingGraphPeakMegabytes: peak } };
}

async function tell(title: string, model: Model, tokenizer: Tokenizer, sampling?: Sampling): Promise<void> {
  const session = await nativeRuntime({ threads: 2 }).load(encodeModel(model));
  for (const prompt of PROMPTS) {
    const next = nextLogitsOf(session);
    const { text, tokens, seconds } = await continuation({
      next,
      tokenizer,
      prompt,
      length: TEXT_LENGTH,
      ...(sampling === undefined ? {} : { sampling }),
    });
    console.log(`\n${title} (${tokens} tokens, ${(tokens / seconds).toFixed(0)} a second):\n${text}`);
  }
  await session.release();
}

async function train(client: Client, spec: ReturnType<typeof fineTuningJob>) {
  const { job } = await client.createJob(spec);
  const live = process.stdout.isTTY;
  let shown = -1;
  const result = await client.follow(job, (view) => {
    if (!live && view.round === shown) return;
    shown = view.round;
    process.stdout.write(live ? `\r\u001b[K${progressLine(view)}` : `${progressLine(view)}\n`);
  });
  if (live) console.log();
  if (result.status !== 'succeeded')
    throw new Fault('internal', `the job ${result.status}: ${'reason' in result ? result.reason : ''}`);
  return { job, result, view: await client.job(job) };
}

async function fineTune(stack: Stack, sources: Sources, model: Model, tokenizer: Tokenizer) {
  const { vocabulary } = tokenizer;
  const splits = textRows(tokenizer.encode(sources.book), {
    length: LENGTH,
    vocabulary,
    testShare: TEST_SHARE,
  });
  const manifest = await importDataset(stack.store, { name: NAME, splits, shards: 2, now: () => new Date() });
  console.log(`\n${describe(manifest)}`);
  const rows = manifest.splits['test']!.rows;
  const heldOut = await readRows(stack.store, manifest, 'test', { start: 0, end: rows });
  const before = await measure(model, heldOut);

  const client = createClient(stack.routerUrl);
  const graph = await putBlob(stack.store, encodeModel(model));
  const { job, result, view } = await train(client, fineTuningJob(graph, manifest.version));
  const some = slice(heldOut, 0, Math.min(CURVE_ROWS, rows));
  const curve = await lossByRound(stack.store, job, model, some, CURVE_EVERY);
  console.log(
    `\n${table(
      ['ROUND', `LOSS ON ${some.rows} HELD-OUT ROWS`],
      curve.map(({ round, loss }) => [round, loss.toFixed(3)]),
    )}`,
  );
  const metrics = ['loss', 'perplexity', 'accuracy'];
  const cell = (values: Readonly<Record<string, number>>) => (name: string) =>
    (values[name] ?? NaN).toFixed(3);
  console.log(
    `\n${table(
      [`ALL ${rows} HELD-OUT ROWS`, ...metrics.map((name) => name.toUpperCase())],
      [
        ['before', ...metrics.map(cell(before))],
        [`release ${result.release}`, ...metrics.map(cell(result.metrics))],
      ],
    )}`,
  );

  const sampling = { ...SAMPLING, random: createRandom(0) };
  await tell('fine-tuned', decodeModel(await getBlob(stack.store, result.graph)), tokenizer, sampling);
  const answers: string[] = [];
  const next = nextLogitsFrom(client, NAME, (answer) => answers.push(answer.target));
  const served = await continuation({ next, tokenizer, prompt: 'Call me', length: SERVED_LENGTH });
  console.log(
    `\nthrough the router (${answers.length} requests to the ${[...new Set(answers)].join(', ')}, ` +
      `${duration(served.seconds)}):\n${served.text}`,
  );
  return {
    release: result.release,
    trainSeconds: Number(view.seconds.toFixed(1)),
    tokensPerSecond: Math.round(view.samplesPerSecond * LENGTH),
    heldOut: { rows, before, after: result.metrics, curve },
  };
}

const started = performance.now();
const sources = await readSources();
const { model, figures } = await build(sources);
const tokenizer = parseTokenizer(sources.tokenizer);
await tell('stories15M', model, tokenizer);
const stack = await startStack({
  stateDir: state,
  port: 0,
  log: (line) => process.stderr.write(`${line}\n`),
});
try {
  const results = await fineTune(stack, sources, model, tokenizer);
  const seconds = (performance.now() - started) / 1000;
  const peak = peakMegabytes();
  console.log(`\n${duration(seconds)} in all; peak memory ${peak} MB, the stack and its functions included`);
  printJson({ ...figures, ...results, seconds: Number(seconds.toFixed(1)), peakMegabytes: peak });
  const { before, after } = results.heldOut;
  // What the example is for: text it has not seen is less of a surprise.
  if (!((after['loss'] ?? NaN) < (before['loss'] ?? NaN))) process.exitCode = 1;
} finally {
  await stack.stop();
}
