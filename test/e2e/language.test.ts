/** A language model through the whole stack: a text imported, a llama2.c checkpoint fine-tuned on it, text served. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { REQUEST_HEADERS } from '../../core/contracts/headers.ts';
import { importSource } from '../../core/datasets/import.ts';
import { generate, nextLogitsOf } from '../../core/language/generate.ts';
import { parseLlama2c } from '../../core/language/llama2c.ts';
import { buildLlama, LLAMA } from '../../core/onnx/builders/llama.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import { getBlob, putBlob } from '../../core/storage/blobs.ts';
import { type Client, createClient } from '../../infra/cli/client.ts';
import { openText } from '../../infra/cli/commands/import/text.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';
import { llama2cFile, tinyConfig, tinyWeights } from '../unit/language/tiny-llama.ts';
import { temporaryState } from './small-job.ts';

/** What is learned by heart in a minute; its bytes are the tokens. */
const TEXT = 'the whale swims, the ship sails, the whale dives. '.repeat(60);
const LENGTH = 16;
const BYTES = 256;

let state: Awaited<ReturnType<typeof temporaryState>>;
let stack: Stack;
let client: Client;

beforeAll(async () => {
  state = await temporaryState();
  stack = await startStack({ stateDir: state.path, port: 0 });
  client = createClient(stack.routerUrl);
}, 60_000);
afterAll(async () => {
  await stack?.stop();
  await state?.remove();
});

test('adapters learn a text, and the release continues it from the edge and the cloud', async () => {
  const file = join(state.path, 'text.txt');
  await writeFile(file, TEXT);
  const { version } = await importSource(stack.store, {
    name: 'text',
    source: await openText(file, { length: LENGTH, testShare: 0.2 }),
    shards: 2,
    heldOut: { share: 0, seed: 0 },
    now: () => new Date(),
  });
  const config = tinyConfig({
    vocabulary: BYTES,
    dimension: 32,
    hiddenDimension: 48,
    contextLength: 2 * LENGTH,
  });
  const { weights } = parseLlama2c(llama2cFile(config, tinyWeights(config, 4)));
  const graph = await putBlob(stack.store, encodeModel(buildLlama(config, weights)));

  const { job } = await client.createJob({
    kind: 'train',
    model: { name: 'teller', graph },
    dataset: { name: 'text', version },
    loss: { kind: 'softmax-cross-entropy', output: LLAMA.logits, target: 'targets' },
    lora: { rank: 8, alpha: 16, target: ['layers.*', 'output.weight'] },
    optimizer: { kind: 'adam', learningRate: 0.02 },
    epochs: 20,
    batchSize: 8,
    shards: 2,
  });
  const result = await client.follow(job, () => {});
  if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
  // Of 256 bytes, guessing costs ln 256 = 5.5.
  expect(result.metrics['loss']).toBeLessThan(1);
  expect(result.metrics['perplexity']).toBeCloseTo(Math.exp(result.metrics['loss']!), 4);

  const session = await nativeRuntime().load(await getBlob(stack.store, result.graph));
  const prompt = [...new TextEncoder().encode('the whale ')];
  const told: number[] = [];
  for await (const token of generate({ next: nextLogitsOf(session), prompt, length: 2 * LENGTH }))
    told.push(token);
  await session.release();
  expect(TEXT).toContain(String.fromCharCode(...told).slice(0, 5));

  const body = JSON.stringify({
    inputs: [{ name: LLAMA.tokens, shape: [1, prompt.length], datatype: 'INT64', data: prompt }],
    outputs: [{ name: LLAMA.nextLogits }],
  });
  for (const target of ['edge', 'cloud']) {
    const answer = await client.infer('/v2/models/teller/infer', body, { [REQUEST_HEADERS.target]: target });
    expect(answer.target).toBe(target);
    const [output] = answer.body.outputs;
    expect(output).toMatchObject({ name: LLAMA.nextLogits, shape: [1, BYTES] });
    expect(output!.data.indexOf(Math.max(...output!.data))).toBe(told[0]);
  }
}, 120_000);
