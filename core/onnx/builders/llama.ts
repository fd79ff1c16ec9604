/**
 * Llama as an ONNX graph (Touvron et al. 2023, arXiv:2302.13971; grouped queries: Touvron et al. 2023,
 * arXiv:2307.09288): RMS normalization, rotary embeddings, causal attention, SwiGLU. Written with plain operators that
 * all have gradient rules, so the same file serves and trains.
 */
import { Fault } from '../../errors.ts';
import type { TensorValue } from '../../tensors/tensor.ts';
import { GraphBuilder } from '../builder.ts';
import type { Model } from '../model.ts';
import { tensorProto } from '../tensor.ts';
import { checkLlamaConfig, type LlamaConfig, llamaShapes } from './llama-config.ts';

/** Names of the graph's ends. */
export const LLAMA = {
  /** Input: I64 `[batch, sequence]`. */
  tokens: 'tokens',
  /** Output: F32 `[batch, sequence, vocabulary]`, at each position the scores of the token after it. */
  logits: 'logits',
  /** Output: F32 `[batch, vocabulary]`, the logits of the last position alone: what generation needs, much cheaper. */
  nextLogits: 'next_logits',
} as const;

/** Added to the mean square before its root is taken. */
const EPSILON = 1e-5;
/** Base of the rotary frequencies (Su et al. 2021, arXiv:2104.09864). */
const ROTARY_BASE = 10_000;

/**
 * The graph, with the weights as views, not copies: encode it once, and only where bytes are needed. Its ends are
 * {@link LLAMA}'s; a sequence longer than the context is refused by the runtime (an index outside the rotary tables).
 * @param weights by the names of {@link llamaShapes}
 * @throws Fault `invalid` where the configuration cannot be, or a weight is missing or has another shape
 */
export function buildLlama(config: LlamaConfig, weights: ReadonlyMap<string, TensorValue>): Model {
  checkLlamaConfig(config);
  const { dimension, layers, heads, keyValueHeads, vocabulary } = config;
  const graph = new GraphBuilder(Object.values(LLAMA));
  for (const [name, shape] of llamaShapes(config)) graph.initializer(name, weightOf(weights, name, shape));

  const constants = constantsFor(graph);
  const { ints, float } = constants;
  const headSize = dimension / heads;
  const mul = (a: string, b: string) => graph.op('Mul', [a, b]);
  const add = (a: string, b: string) => graph.op('Add', [a, b]);
  const transpose = (value: string, perm: readonly number[]) => graph.op('Transpose', [value], { perm });
  /** x·Wᵀ */
  const linear = (x: string, weight: string, output?: string) =>
    graph.op('MatMul', [x, transpose(weight, [1, 0])], {}, output);
  const normalize = (x: string, weight: string) => {
    const meanSquare = graph.op('ReduceMean', [mul(x, x), ints([-1])], { keepdims: 1 });
    const root = graph.op('Sqrt', [add(meanSquare, float(EPSILON))]);
    return mul(graph.op('Div', [x, root]), weight);
  };

  graph.input({ name: LLAMA.tokens, dtype: 'I64', shape: ['batch', 'sequence'] });
  const { mask, rotate } = positional(graph, config, constants);
  const group = heads / keyValueHeads;
  /** [batch, sequence, heads·size] → [batch, keyValueHeads, heads of a group, sequence, size]: groups broadcast. */
  const split = (x: string, perGroup: number) =>
    transpose(graph.op('Reshape', [x, ints([0, 0, keyValueHeads, perGroup, headSize])]), [0, 2, 3, 1, 4]);

  const attend = (x: string, prefix: string) => {
    const query = rotate(split(linear(x, `${prefix}.wq.weight`), group));
    const key = rotate(split(linear(x, `${prefix}.wk.weight`), 1));
    const value = split(linear(x, `${prefix}.wv.weight`), 1);
    const scaled = mul(query, float(1 / Math.sqrt(headSize)));
    const scores = graph.op('MatMul', [scaled, transpose(key, [0, 1, 2, 4, 3])]);
    const attention = graph.op('Softmax', [add(scores, mask)], { axis: -1 });
    const mixed = transpose(graph.op('MatMul', [attention, value]), [0, 3, 1, 2, 4]);
    return linear(graph.op('Reshape', [mixed, ints([0, 0, dimension])]), `${prefix}.wo.weight`);
  };
  /** SwiGLU (Shazeer 2020, arXiv:2002.05202). */
  const feedForward = (x: string, prefix: string) => {
    const gate = linear(x, `${prefix}.w1.weight`);
    const swish = mul(gate, graph.op('Sigmoid', [gate]));
    return linear(mul(swish, linear(x, `${prefix}.w3.weight`)), `${prefix}.w2.weight`);
  };

  let x = graph.op('Gather', ['tok_embeddings.weight', LLAMA.tokens]);
  for (let i = 0; i < layers; i++) {
    const layer = `layers.${i}`;
    x = add(x, attend(normalize(x, `${layer}.attention_norm.weight`), `${layer}.attention`));
    x = add(x, feedForward(normalize(x, `${layer}.ffn_norm.weight`), `${layer}.feed_forward`));
  }
  const classifier = config.isClassifierShared ? 'tok_embeddings.weight' : 'output.weight';
  const last = graph.op('Gather', [x, constants.integer(-1)], { axis: 1 });
  linear(normalize(x, 'norm.weight'), classifier, LLAMA.logits);
  linear(normalize(last, 'norm.weight'), classifier, LLAMA.nextLogits);
  graph.output({ name: LLAMA.logits, dtype: 'F32', shape: ['batch', 'sequence', vocabulary] });
  graph.output({ name: LLAMA.nextLogits, dtype: 'F32', shape: ['batch', vocabulary] });
  return graph.build('llama');
}

function weightOf(
  weights: ReadonlyMap<string, TensorValue>,
  name: string,
  shape: readonly number[],
): TensorValue {
  const weight = weights.get(name);
  if (weight?.dtype === 'F32' && weight.shape.join() === shape.join()) return weight;
  const found = weight === undefined ? 'missing' : `${weight.dtype} [${weight.shape.join(', ')}]`;
  throw new Fault('invalid', `${name} is ${found}: it must be F32 [${shape.join(', ')}]`, { field: name });
}

type Constants = ReturnType<typeof constantsFor>;

function constantsFor(graph: GraphBuilder) {
  return {
    ints: (values: readonly number[]) =>
      graph.constant({ dtype: 'I64', shape: [values.length], data: BigInt64Array.from(values, BigInt) }),
    integer: (value: number) =>
      graph.constant({ dtype: 'I64', shape: [], data: BigInt64Array.of(BigInt(value)) }),
    float: (value: number) => graph.constant({ dtype: 'F32', shape: [], data: Float32Array.of(value) }),
    /** A node, not an initializer: float32 initializers are what training changes. */
    matrix: (rows: number, columns: number, at: (row: number, column: number) => number) => {
      const data = Float32Array.from({ length: rows * columns }, (_, i) =>
        at(Math.floor(i / columns), i % columns),
      );
      const tensor = tensorProto('', { dtype: 'F32', shape: [rows, columns], data });
      return graph.op('Constant', [], { value: { tensor } });
    },
  };
}

/**
 * What depends on positions alone. Positions are counted along a row of tokens and not made by a Range, so that shape
 * inference knows their number to be `sequence`: gradients need to know what is broadcast.
 */
function positional(
  graph: GraphBuilder,
  { dimension, heads, contextLength }: LlamaConfig,
  { ints, integer, float, matrix }: Constants,
) {
  const anyRow = graph.op('ReduceMin', [LLAMA.tokens, ints([0])], { keepdims: 0 });
  const ones = graph.op('Add', [graph.op('Sub', [anyRow, anyRow]), integer(1)]);
  const positions = graph.op('CumSum', [ones, integer(0)], { exclusive: 1 });

  const headSize = dimension / heads;
  // Channels 2i and 2i + 1 are one plane, turned by position · base^(-2i/size).
  const angle = (position: number, channel: number) =>
    position * ROTARY_BASE ** (-(channel - (channel % 2)) / headSize);
  const cosines = matrix(contextLength, headSize, (row, column) => Math.cos(angle(row, column)));
  const sines = matrix(contextLength, headSize, (row, column) => Math.sin(angle(row, column)));
  const [cos, sin] = [graph.op('Gather', [cosines, positions]), graph.op('Gather', [sines, positions])];
  // A quarter turn of each plane, (a, b) → (-b, a), as a product: exact, and quicker than moving single elements.
  const quarter = matrix(headSize, headSize, (row, column) =>
    row === column + 1 && row % 2 === 1 ? -1 : row === column - 1 && column % 2 === 1 ? 1 : 0,
  );
  const rotate = (x: string) =>
    graph.op('Add', [graph.op('Mul', [x, cos]), graph.op('Mul', [graph.op('MatMul', [x, quarter]), sin])]);

  const isFuture = graph.op('Less', [
    graph.op('Unsqueeze', [positions, ints([1])]),
    graph.op('Unsqueeze', [positions, ints([0])]),
  ]);
  const mask = graph.op('Where', [isFuture, float(-Infinity), float(0)]);
  return { mask, rotate };
}
