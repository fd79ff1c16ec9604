/** A decoder-only transformer as PyTorch exports it: weights transposed, Gelu and the split into heads spelled out. */
import { GraphBuilder } from '../../../../core/onnx/builder.ts';
import { createRandom } from '../../../../core/random.ts';
import { elementCount } from '../../../../core/tensors/tensor.ts';
import type { Network } from './network.ts';

const LAYERS = 2;
const WIDTH = 128;
const TOKENS = 64;
const SEQUENCES = 16;
const VOCABULARY = 256;
const HEADS = 4;

export function transformer(): Network {
  const random = createRandom(1);
  const g = new GraphBuilder();
  const parameters: string[] = [];
  const parameter = (name: string, shape: number[], offset = 0): string => {
    const data = Float32Array.from(
      { length: elementCount(shape) },
      () => offset + 0.04 * (random.uniform() - 0.5),
    );
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
  const ids = () => {
    const data = BigInt64Array.from({ length: SEQUENCES * TOKENS }, () => BigInt(random.below(VOCABULARY)));
    return { dtype: 'I64', shape: [SEQUENCES, TOKENS], data } as const;
  };
  return {
    name: `GPT, ${LAYERS} layers of ${WIDTH}, ${HEADS} heads, ${TOKENS} tokens, batch ${SEQUENCES}`,
    model: g.build('transformer'),
    parameters,
    inputs: { ids: ids(), labels: ids() },
  };
}
