/**
 * A decoder-only transformer as an ONNX file: GPT-2's architecture (Radford et al. 2019), normalization before each
 * branch, learned positions, in standard operators.
 */
import { z } from 'zod';
import { parse } from '../../contracts/parse.ts';
import { createRandom } from '../../random.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { GraphBuilder } from '../builder.ts';
import { normalValues } from '../distributions.ts';
import { encodeModel } from '../model.ts';
import { attention, type AttentionShape } from './attention.ts';

const Size = z.int().min(1).max(1_000_000);
const GptSpec = z
  .strictObject({
    vocabulary: Size.min(2),
    layers: Size,
    heads: Size,
    /** Of the residual stream; a multiple of `heads`. */
    width: Size,
    /** The longest sequence: there are as many positions. */
    context: Size,
    /** True: logits are products with the token embeddings. False: with a matrix of their own, `head.weight`. */
    tied: z.boolean().default(true),
    seed: z.int().min(0).max(0xffff_ffff).default(0),
    inputName: z.string().min(1).default('tokens'),
    outputName: z.string().min(1).default('logits'),
  })
  .refine(({ width, heads }) => width % heads === 0, {
    path: ['width'],
    message: 'must be a multiple of heads',
  });
export type GptSpec = z.input<typeof GptSpec>;

/** Deviation of the initial weights (Radford et al. 2019). */
const STD = 0.02;
/** Width of the hidden layer of a feed-forward branch, in widths of the stream. */
const EXPANSION = 4;

/**
 * I64 input `[batch, sequence]` of token ids, sequences up to `context`; FP32 output `[batch, sequence, vocabulary]` of
 * logits. Each position sees itself and those before it. Initializers: `token.embedding` `[vocabulary, width]`,
 * `position.embedding` `[context, width]`; per block `block<k>.attention.{norm, query, key, value, output}` and
 * `block<k>.mlp.{norm, expand, contract}`, k from 0; `norm`; untied `head.weight`. Weights are `<layer>.weight`
 * `[in, out]` and `<layer>.bias`, normalizations `.scale` and `.bias`. Weights are normal with deviation 0.02, those
 * that write into the residual stream 0.02/√(2·layers); biases zero, scales one. The same spec gives the same bytes.
 * @throws Fault `invalid` naming the field
 */
export function buildGpt(request: GptSpec): Uint8Array<ArrayBuffer> {
  const spec = parse(GptSpec, request);
  const { vocabulary, width, context, layers } = spec;
  const graph = new GraphBuilder([spec.inputName, spec.outputName]);
  let drawn = 0;
  const normal = (name: string, shape: readonly number[], std = STD) =>
    graph.initializer(name, {
      dtype: 'F32',
      shape,
      data: normalValues(elementCount(shape), std, createRandom(spec.seed, drawn++)),
    });
  const constant = (name: string, value: number) =>
    graph.initializer(name, { dtype: 'F32', shape: [width], data: new Float32Array(width).fill(value) });
  const linear = (x: string, name: string, from: number, to: number, std = STD) => {
    const weight = normal(`${name}.weight`, [from, to], std);
    const bias = { dtype: 'F32', shape: [to], data: new Float32Array(to) } as const;
    return graph.op('Add', [graph.op('MatMul', [x, weight]), graph.initializer(`${name}.bias`, bias)]);
  };
  const norm = (x: string, name: string) =>
    graph.op('LayerNormalization', [x, constant(`${name}.scale`, 1), constant(`${name}.bias`, 0)]);

  const tokens = graph.input({ name: spec.inputName, dtype: 'I64', shape: ['batch', 'sequence'] });
  const positions = positionsOf(graph, tokens);
  const embedding = normal('token.embedding', [vocabulary, width]);
  let stream = graph.op('Add', [
    graph.op('Gather', [embedding, tokens]),
    graph.op('Gather', [normal('position.embedding', [context, width]), positions]),
  ]);
  const visible = causalMask(graph, positions);
  const shape: AttentionShape = { heads: spec.heads, width };
  const residual = STD / Math.sqrt(2 * layers);
  for (let layer = 0; layer < layers; layer++) {
    const block = `block${layer}`;
    const x = norm(stream, `${block}.attention.norm`);
    const project = (name: string) => linear(x, `${block}.attention.${name}`, width, width);
    const mixed = attention(
      graph,
      { query: project('query'), key: project('key'), value: project('value'), visible },
      shape,
    );
    const attended = linear(mixed, `${block}.attention.output`, width, width, residual);
    stream = graph.op('Add', [stream, attended]);
    const wide = linear(norm(stream, `${block}.mlp.norm`), `${block}.mlp.expand`, width, EXPANSION * width);
    const active = graph.op('Gelu', [wide]);
    const narrow = linear(active, `${block}.mlp.contract`, EXPANSION * width, width, residual);
    stream = graph.op('Add', [stream, narrow]);
  }
  const head = spec.tied
    ? graph.op('Transpose', [embedding], { perm: [1, 0] })
    : normal('head.weight', [width, vocabulary]);
  const logits = graph.op('MatMul', [norm(stream, 'norm'), head], {}, spec.outputName);
  graph.output({ name: logits, dtype: 'F32', shape: ['batch', 'sequence', vocabulary] });
  return encodeModel(graph.build('gpt'));
}

const integer = (value: number) =>
  ({ dtype: 'I64', shape: [], data: BigInt64Array.of(BigInt(value)) }) as const;

/**
 * 0, 1, 2 … `[sequence]`. Counted along the first row of tokens: a Range over the tokens' shape would give a dimension
 * without a name, and gradients need to know that it is the sequence's.
 */
function positionsOf(graph: GraphBuilder, tokens: string): string {
  const row = graph.op('Gather', [tokens, graph.constant(integer(0))], { axis: 0 });
  const zeros = graph.op('Mul', [row, graph.constant(integer(0))]);
  const ones = graph.op('Add', [zeros, graph.constant(integer(1))]);
  return graph.op('CumSum', [ones, graph.constant(integer(0))], { exclusive: 1 });
}

/** BOOL `[sequence, sequence]`: whether the row's position sees the column's. */
function causalMask(graph: GraphBuilder, positions: string): string {
  const axis = (value: number) =>
    graph.constant({ dtype: 'I64', shape: [1], data: BigInt64Array.of(BigInt(value)) });
  const seen = graph.op('Unsqueeze', [positions, axis(0)]);
  const seeing = graph.op('Unsqueeze', [positions, axis(1)]);
  return graph.op('LessOrEqual', [seen, seeing]);
}
