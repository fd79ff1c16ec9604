/** The Llama graph against its formulas written out plainly, and its gradients against central differences. */
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { loadProgram } from '../../cloud/training/engine/program.ts';
import { buildTrainingGraph } from '../../core/autodiff/training-graph.ts';
import { generate, nextLogitsOf } from '../../core/language/generate.ts';
import type { LlamaConfig } from '../../core/onnx/builders/llama-config.ts';
import { buildLlama, LLAMA } from '../../core/onnx/builders/llama.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';
import { referenceLogits, tinyConfig, tinyWeights } from '../unit/language/tiny-llama.ts';

const SEQUENCES = [
  [1, 5, 3, 10, 0, 7],
  [2, 2, 9, 4, 8, 1],
];
const VARIANTS: readonly (readonly [string, LlamaConfig])[] = [
  ['grouped queries, own classifier', tinyConfig()],
  ['a key for each query, shared classifier', tinyConfig({ keyValueHeads: 4, isClassifierShared: true })],
  ['one key for all queries', tinyConfig({ keyValueHeads: 1, layers: 3 })],
];

const tokensOf = (sequences: readonly (readonly number[])[]): TensorValue => ({
  dtype: 'I64',
  shape: [sequences.length, sequences[0]!.length],
  data: BigInt64Array.from(sequences.flat(), BigInt),
});

/** Of float32 against float64, on logits of about 1. */
const TOLERANCE = 2e-5;

function expectClose(actual: ArrayLike<number | bigint>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - Number(actual[i]))));
  expect(worst).toBeLessThan(TOLERANCE);
}

describe.each(VARIANTS)('logits: %s', (_, config) => {
  const weights = tinyWeights(config, 3);
  const bytes = encodeModel(buildLlama(config, weights));

  it('are those of the formulas, for each sequence of a batch', async () => {
    const session = await nativeRuntime().load(bytes);
    const outputs = await session.run({ [LLAMA.tokens]: tokensOf(SEQUENCES) }, [
      LLAMA.logits,
      LLAMA.nextLogits,
    ]);
    const expected = SEQUENCES.map((tokens) => referenceLogits(config, weights, tokens));
    expect(Math.max(...expected.flat(2).map(Math.abs))).toBeGreaterThan(0.5);
    expectClose(outputs[LLAMA.logits]!.data, expected.flat(2));
    expectClose(outputs[LLAMA.nextLogits]!.data, expected.map((positions) => positions.at(-1)!).flat());
    await session.release();
  });

  it('take sequences of one token and of the whole context, and no longer one', async () => {
    const session = await nativeRuntime().load(bytes);
    const sequence = (length: number) => Array.from({ length }, (_, i) => (i * 5) % config.vocabulary);
    const run = (length: number) =>
      session.run({ [LLAMA.tokens]: tokensOf([sequence(length)]) }, [LLAMA.logits]);
    for (const length of [1, config.contextLength]) {
      const { [LLAMA.logits]: logits } = await run(length);
      expectClose(logits!.data, referenceLogits(config, weights, sequence(length)).flat());
    }
    await expect(run(config.contextLength + 1)).rejects.toThrow(/out of data bounds|out of bounds/);
    await session.release();
  });
});

it('generation follows the formulas to the end of the context', async () => {
  const config = tinyConfig();
  const weights = tinyWeights(config, 5);
  const session = await nativeRuntime().load(encodeModel(buildLlama(config, weights)));
  const expected = [1, 4];
  while (expected.length < config.contextLength) {
    const logits = referenceLogits(config, weights, expected).at(-1)!;
    expected.push(logits.indexOf(Math.max(...logits)));
  }
  const options = { next: nextLogitsOf(session), prompt: [1, 4], length: config.contextLength };
  const tokens: number[] = [];
  for await (const token of generate(options)) tokens.push(token);
  expect(tokens).toEqual(expected.slice(2));
  await session.release();
});

/** Mean over all positions of the negative log-probability of the next token. */
function referenceLoss(config: LlamaConfig, weights: ReadonlyMap<string, TensorValue>): number {
  const losses = SEQUENCES.flatMap((tokens) =>
    referenceLogits(config, weights, tokens.slice(0, -1)).map((logits, i) => {
      const highest = Math.max(...logits);
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
      return highest + Math.log(total) - logits[tokens[i + 1]!]!;
    }),
  );
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

describe.each(VARIANTS.slice(0, 2))('gradients: %s', (_, config) => {
  it('are the central differences of the formulas, in every weight', async () => {
    const weights = tinyWeights(config, 7);
    const model = buildLlama(config, weights);
    const row = { dtype: 'U8' as const, shape: [5] };
    const training = buildTrainingGraph(model, await inferTypes(model), {
      inputs: { [LLAMA.tokens]: { tensor: 'tokens', ...row } },
      loss: { kind: 'softmax-cross-entropy', output: LLAMA.logits, target: 'targets' },
      target: row,
    });
    const program = await loadProgram(training.graph, training.parameters);
    const column = (from: number): TensorValue => ({
      dtype: 'U8',
      shape: [2, 5],
      data: Uint8Array.from(SEQUENCES.flatMap((sequence) => sequence.slice(from, from + 5))),
    });
    const batch = { tokens: column(0), targets: column(1) };
    const { loss, gradient } = await program.gradients(training.initial, batch);
    expect(loss).toBeCloseTo(referenceLoss(config, weights), 5);

    // All weights, and nothing that is none: not the rotary tables.
    expect(training.parameters.map(({ name }) => name).sort()).toEqual([...weights.keys()].sort());
    for (const { name, offset, length, shape } of training.parameters) {
      const own = gradient.subarray(offset, offset + length);
      // The coordinate with the largest gradient, and some others.
      const largest = own.reduce((best, value, i) => (Math.abs(value) > Math.abs(own[best]!) ? i : best), 0);
      const scale = Math.abs(own[largest]!);
      expect(scale, name).toBeGreaterThan(1e-4);
      for (const at of [largest, 0, length >> 1, length - 1]) {
        const [up, down] = [1e-4, -1e-4].map((step) => {
          const data = Float64Array.from(weights.get(name)!.data as Float32Array);
          data[at]! += step;
          return referenceLoss(config, new Map(weights).set(name, { dtype: 'F64', shape, data }));
        });
        expect(Math.abs((up! - down!) / 2e-4 - own[at]!) / scale, `${name}[${at}]`).toBeLessThan(1e-3);
      }
    }
    await program.release();
  });
});
