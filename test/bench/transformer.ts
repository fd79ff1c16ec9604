/**
 * What the backward pass of a transformer costs beside its forward pass: two layers of width 128 over 64 tokens,
 * 16 sequences, on one thread. Both take the parameters as inputs; rounds alternate, so that a busy machine slows both.
 * Usage: node test/bench/transformer.ts
 */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { createSession } from '../../cloud/adapters/onnxruntime-session.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel, type Model } from '../../core/onnx/model.ts';
import { median } from '../../core/median.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { createRandom } from '../../core/random.ts';

const LAYERS = 2;
const WIDTH = 128;
const TOKENS = 64;
const SEQUENCES = 16;
const VOCABULARY = 256;
const HEADS = 4;
const ROUNDS = 60;

const random = createRandom(1);

/** As PyTorch exports it: weights transposed, Gelu and the split into heads spelled out. */
function transformer(): { model: Model; parameters: readonly string[] } {
  const g = new GraphBuilder();
  const parameters: string[] = [];
  const parameter = (name: string, shape: number[], offset = 0): string => {
    const length = shape.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length }, () => offset + 0.04 * (random.uniform() - 0.5));
    parameters.push(name);
    return g.initializer(name, { dtype: 'F32', shape, data });
  };
  const scalar = (value: number) => g.constant({ dtype: 'F32', shape: [], data: Float32Array.of(value) });
  const ints = (...values: number[]) =>
    g.constant({ dtype: 'I64', shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  const linear = (x: string, name: string, from: number, to: number) => {
    const weight = g.op('Transpose', [parameter(`${name}.weight`, [to, from])], { perm: [1, 0] });
    return g.op('Add', [parameter(`${name}.bias`, [to]), g.op('MatMul', [x, weight])]);
  };
  const normalized = (x: string, name: string) =>
    g.op('LayerNormalization', [
      x,
      parameter(`${name}.weight`, [WIDTH], 1),
      parameter(`${name}.bias`, [WIDTH]),
    ]);
  const transpose = (x: string, ...perm: number[]) => g.op('Transpose', [x], { perm });

  g.input({ name: 'ids', dtype: 'I64', shape: ['batch', TOKENS] });
  g.input({ name: 'labels', dtype: 'I64', shape: ['batch', TOKENS] });
  const size = WIDTH / HEADS;
  const past = Uint8Array.from({ length: TOKENS ** 2 }, (_, i) =>
    Number(i % TOKENS <= Math.floor(i / TOKENS)),
  );
  g.initializer('mask', { dtype: 'BOOL', shape: [1, 1, TOKENS, TOKENS], data: past });
  let x = g.op('Add', [
    g.op('Gather', [parameter('tokens', [VOCABULARY, WIDTH]), 'ids']),
    parameter('positions', [1, TOKENS, WIDTH]),
  ]);
  for (let layer = 0; layer < LAYERS; layer++) {
    const name = (part: string) => `${layer}.${part}`;
    const qkv = linear(normalized(x, name('norm1')), name('qkv'), WIDTH, 3 * WIDTH);
    const [q, k, v] = [0, 1, 2].map((i) => {
      const part = g.op('Slice', [qkv, ints(i * WIDTH), ints((i + 1) * WIDTH), ints(2)]);
      return g.op('Reshape', [part, ints(0, TOKENS, HEADS, size)]);
    }) as [string, string, string];
    const scores = g.op('MatMul', [transpose(q, 0, 2, 1, 3), transpose(k, 0, 2, 3, 1)]);
    const seen = g.op('Where', ['mask', g.op('Div', [scores, scalar(Math.sqrt(size))]), scalar(-Infinity)]);
    const mixed = g.op('MatMul', [g.op('Softmax', [seen]), transpose(v, 0, 2, 1, 3)]);
    const joined = g.op('Reshape', [transpose(mixed, 0, 2, 1, 3), ints(0, TOKENS, WIDTH)]);
    x = g.op('Add', [x, linear(joined, name('out'), WIDTH, WIDTH)]);
    const up = linear(normalized(x, name('norm2')), name('up'), WIDTH, 4 * WIDTH);
    const erf = g.op('Add', [g.op('Erf', [g.op('Div', [up, scalar(Math.SQRT2)])]), scalar(1)]);
    const active = g.op('Mul', [g.op('Mul', [up, erf]), scalar(0.5)]);
    x = g.op('Add', [x, linear(active, name('down'), 4 * WIDTH, WIDTH)]);
  }
  const head = transpose(parameter('head', [VOCABULARY, WIDTH]), 1, 0);
  const logits = g.op('MatMul', [normalized(x, 'norm'), head]);
  const rows = [g.op('Reshape', [logits, ints(-1, VOCABULARY)]), g.op('Reshape', ['labels', ints(-1)])];
  g.op('SoftmaxCrossEntropyLoss', rows, { reduction: 'mean' }, 'loss');
  g.output({ name: 'loss', dtype: 'F32', shape: [] });
  return { model: g.build('transformer'), parameters };
}

const { model, parameters } = transformer();
const gradients = gradientGraph(model, await inferTypes(model), 'loss', parameters);
const forward = {
  ...model,
  graph: {
    ...model.graph,
    input: gradients.graph.input,
    initializer: model.graph.initializer.filter((tensor) => !parameters.includes(tensor.name)),
  },
};
const sessions = [
  await createSession(encodeModel(forward)),
  await createSession(encodeModel(gradients)),
] as const;

const ids = () => {
  const data = BigInt64Array.from({ length: SEQUENCES * TOKENS }, () => BigInt(random.below(VOCABULARY)));
  return new Tensor('int64', data, [SEQUENCES, TOKENS]);
};
const feeds: Record<string, Tensor> = { ids: ids(), labels: ids() };
const fetches: Record<string, Tensor | null> = { loss: null };
for (const tensor of model.graph.initializer) {
  if (!parameters.includes(tensor.name)) continue;
  const data = tensorValue(tensor).data as Float32Array;
  feeds[tensor.name] = new Tensor('float32', data, tensor.dims);
  fetches[gradientName(tensor.name)] = new Tensor('float32', new Float32Array(data.length), tensor.dims);
}

async function milliseconds(
  session: InferenceSession,
  outputs: Record<string, Tensor | null>,
): Promise<number> {
  const start = performance.now();
  await session.run(feeds, outputs);
  return performance.now() - start;
}
const times: [number, number][] = [];
for (let round = 0; round < ROUNDS; round++)
  times.push([await milliseconds(sessions[0], { loss: null }), await milliseconds(sessions[1], fetches)]);
const [ahead, both] = [0, 1].map((i) => median(times.map((time) => time[i]!))!) as [number, number];
console.log(
  `forward ${ahead.toFixed(1)} ms, backward ${(both - ahead).toFixed(1)} ms: ${((both - ahead) / ahead).toFixed(2)} times forward`,
);
