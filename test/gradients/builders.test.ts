/** Built models, run and differentiated. */
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { localSteps } from '../../cloud/training/engine/local-steps.ts';
import { loadProgram } from '../../cloud/training/engine/program.ts';
import { buildTrainingGraph } from '../../core/autodiff/training-graph.ts';
import { OptimizerSpec, ScheduleSpec } from '../../core/contracts/optimizer.ts';
import { addAdapters } from '../../core/finetuning/lora.ts';
import { buildCnn } from '../../core/onnx/builders/cnn.ts';
import { buildGpt } from '../../core/onnx/builders/gpt.ts';
import { decodeModel, type Model } from '../../core/onnx/model.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { createRandom } from '../../core/random.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';

async function run(bytes: Uint8Array<ArrayBuffer>, input: string, value: TensorValue, output: string) {
  const session = await nativeRuntime().load(bytes);
  try {
    return (await session.run({ [input]: value }, [output]))[output]!;
  } finally {
    await session.release();
  }
}

it.each([true, false])('a CNN gives probabilities, of flat rows (%s) the same', async (flat) => {
  const input: [number, number, number] = [2, 9, 6];
  const bytes = buildCnn({ input, filters: [3, 4], kernel: 5, hidden: [6], classes: 3, flat });
  const random = createRandom(1);
  const image = Float32Array.from({ length: 5 * 108 }, () => random.normal());
  const shape = flat ? [5, 108] : [5, ...input];
  const { data, shape: given } = await run(
    bytes,
    'image',
    { dtype: 'F32', shape, data: image },
    'probabilities',
  );
  expect(given).toEqual([5, 3]);
  const rows = Array.from({ length: 5 }, (_, row) => Array.from(data.slice(row * 3, row * 3 + 3), Number));
  for (const row of rows) expect(row.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
  expect(new Set(rows.map((row) => row[0])).size).toBe(5);
});

it('a CNN learns which half of an image is bright, every parameter taking part', async () => {
  const model = decodeModel(
    buildCnn({ input: [1, 8, 8], filters: [2, 3], hidden: [6], classes: 2, seed: 1 }),
  );
  const training = buildTrainingGraph(model, await inferTypes(model), {
    inputs: { image: { tensor: 'image', dtype: 'U8', shape: [1, 8, 8], divisor: 255 } },
    loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
    target: { dtype: 'U8', shape: [] },
  });
  expect(training.parameters).toHaveLength(8);
  const rows = 32;
  const random = createRandom(2);
  const label = Uint8Array.from({ length: rows }, () => random.below(2));
  const image = Uint8Array.from({ length: rows * 64 }, (_, i) => {
    const isBright = (i % 8 < 4 ? 0 : 1) === label[Math.floor(i / 64)];
    return random.below(128) + (isBright ? 127 : 0);
  });
  const data = {
    image: { dtype: 'U8', shape: [rows, 1, 8, 8], data: image },
    label: { dtype: 'U8', shape: [rows], data: label },
  } as const;
  const program = await loadProgram(training.graph, training.parameters);
  const optimizer = OptimizerSpec.parse({ kind: 'adam', learningRate: 0.01 });
  const result = await localSteps({
    program,
    rows: data,
    parameters: training.initial,
    state: createOptimizer(optimizer).init(training.initial.length),
    optimizer,
    schedule: ScheduleSpec.parse('constant'),
    seed: 1,
    shard: 0,
    from: 0,
    to: 60,
    stepsPerEpoch: 2,
    steps: 60,
  });
  for (const { name, offset, length } of training.parameters) {
    const before = training.initial.subarray(offset, offset + length);
    expect(result.parameters.subarray(offset, offset + length), name).not.toEqual(before);
  }
  const end = await program.gradients(result.parameters, data);
  expect(end.sums['accuracy']).toBe(rows);
  await program.release();
});

const GPT = { vocabulary: 7, layers: 2, heads: 2, width: 8, context: 6, seed: 2 };
const tokens = (...ids: number[]) =>
  ({ dtype: 'I64', shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) }) as const;

/** Of a model that reads `tokens` and is to predict `next`. */
const trainingOf = async (model: Model, parameters?: readonly string[]) =>
  buildTrainingGraph(model, await inferTypes(model), {
    inputs: { tokens: { tensor: 'tokens', dtype: 'U8', shape: [5] } },
    loss: { kind: 'softmax-cross-entropy', output: 'logits', target: 'next' },
    target: { dtype: 'U8', shape: [5] },
    ...(parameters === undefined ? {} : { parameters }),
  });

/** Rows that count upwards modulo the vocabulary. */
function counting(rows: number) {
  const value = (row: number, at: number) => (row * 3 + at) % GPT.vocabulary;
  const column = (shift: number) => {
    const data = Uint8Array.from({ length: rows * 5 }, (_, i) => value(Math.floor(i / 5), (i % 5) + shift));
    return { dtype: 'U8', shape: [rows, 5], data } as const;
  };
  return { tokens: column(0), next: column(1) };
}

describe.each([true, false])('a GPT, tied %s', (tied) => {
  const bytes = buildGpt({ ...GPT, tied });

  it('sees what came before and nothing after', async () => {
    const logits = async (...ids: number[]) => {
      const { data, shape } = await run(bytes, 'tokens', tokens(...ids), 'logits');
      expect(shape).toEqual([1, ids.length, 7]);
      return ids.map((_, at) => Array.from(data.slice(at * 7, at * 7 + 7), Number));
    };
    const [whole, other, short] = [
      await logits(1, 2, 3, 4, 5, 6),
      await logits(1, 2, 3, 0, 5, 6),
      await logits(1, 2, 3),
    ];
    for (const at of [0, 1, 2]) {
      for (const [i, value] of whole[at]!.entries()) {
        expect(other[at]![i]).toBeCloseTo(value, 6);
        expect(short[at]![i]).toBeCloseTo(value, 6);
      }
    }
    expect(other[5]![0]).not.toBeCloseTo(whole[5]![0]!, 5);
    // The same token at another position is another thing.
    const [first, second] = await logits(1, 1);
    expect(first![0]).not.toBeCloseTo(second![0]!, 5);
  });

  it('has a gradient in every parameter, as finite differences say', async () => {
    const training = await trainingOf(decodeModel(bytes));
    expect(training.parameters).toHaveLength(36 + (tied ? 0 : 1));
    const program = await loadProgram(training.graph, training.parameters);
    // Away from the initialization, where attention is nearly uniform and gradients nearly vanish.
    const random = createRandom(4);
    const at = training.initial.map((value) => value + 0.3 * random.normal());
    const batch = counting(4);
    const { gradient } = await program.gradients(at, batch, new Float32Array(at.length));
    const loss = async (direction: Float32Array, step: number) =>
      (
        await program.gradients(
          at.map((value, i) => value + step * direction[i]!),
          batch,
        )
      ).loss;
    for (const { name, offset, length } of training.parameters) {
      const direction = new Float32Array(at.length);
      for (let i = offset; i < offset + length; i++) direction[i] = random.normal();
      const along = direction.reduce((sum, d, i) => sum + d * gradient[i]!, 0);
      const step = 1e-2 / Math.sqrt(length);
      const difference = ((await loss(direction, step)) - (await loss(direction, -step))) / (2 * step);
      // A key's bias moves all scores of a row alike: its gradient is zero.
      if (name.endsWith('key.bias')) expect(Math.abs(along), name).toBeLessThan(1e-5);
      else expect(Math.abs(difference - along), name).toBeLessThan(2e-3 + 0.02 * Math.abs(along));
    }
    await program.release();
  });
});

// With tied embeddings at their small initial values adapters alone could not make the logits large enough.
it.each(['whole', 'by adapters'])('a GPT learns to count, %s', async (how) => {
  const model = decodeModel(buildGpt({ ...GPT, tied: how === 'whole' }));
  const spec = { rank: 4, alpha: 16, target: ['*.weight'] };
  const adapted = how === 'whole' ? undefined : addAdapters(model, spec, 0, ['logits']);
  const training = await trainingOf(adapted?.model ?? model, adapted?.parameters);
  const program = await loadProgram(training.graph, training.parameters);
  const optimizer = OptimizerSpec.parse({ kind: 'adam', learningRate: 0.02 });
  const rows = counting(21);
  const result = await localSteps({
    program,
    rows,
    parameters: training.initial,
    state: createOptimizer(optimizer).init(training.initial.length),
    optimizer,
    schedule: ScheduleSpec.parse('constant'),
    seed: 1,
    shard: 0,
    from: 0,
    to: 150,
    stepsPerEpoch: 3,
    steps: 150,
  });
  const start = await program.gradients(training.initial, rows);
  expect(start.loss).toBeCloseTo(Math.log(GPT.vocabulary), 1);
  const end = await program.gradients(result.parameters, rows);
  expect(end.loss).toBeLessThan(how === 'whole' ? 0.1 : 1);
  await program.release();
});
