/** Multi-head scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) in standard operators. */
import type { GraphBuilder } from '../builder.ts';

export interface AttentionShape {
  readonly heads: number;
  /** Of all heads together. */
  readonly width: number;
}

export interface AttentionInputs {
  /** FP32 `[batch, sequence, width]` each. */
  readonly query: string;
  readonly key: string;
  readonly value: string;
  /** BOOL `[sequence, sequence]`: whether the row's position sees the column's. Each must see one at least. */
  readonly visible: string;
}

/** @returns FP32 `[batch, sequence, width]`: the heads' results side by side */
export function attention(
  graph: GraphBuilder,
  { query, key, value, visible }: AttentionInputs,
  { heads, width }: AttentionShape,
): string {
  const size = width / heads;
  const scalar = (number: number) =>
    graph.constant({ dtype: 'F32', shape: [], data: Float32Array.of(number) });
  // 0: the dimension as it is.
  const reshape = (x: string, dimensions: readonly number[]) => {
    const data = BigInt64Array.from(dimensions, BigInt);
    return graph.op('Reshape', [x, graph.constant({ dtype: 'I64', shape: [data.length], data })]);
  };
  const split = (x: string, perm: readonly number[]) =>
    graph.op('Transpose', [reshape(x, [0, 0, heads, size])], { perm });

  const scaled = graph.op('Mul', [split(query, [0, 2, 1, 3]), scalar(1 / Math.sqrt(size))]);
  const scores = graph.op('MatMul', [scaled, split(key, [0, 2, 3, 1])]);
  const masked = graph.op('Where', [visible, scores, scalar(-Infinity)]);
  const weights = graph.op('Softmax', [masked], { axis: -1 });
  const mixed = graph.op('MatMul', [weights, split(value, [0, 2, 1, 3])]);
  return reshape(graph.op('Transpose', [mixed], { perm: [0, 2, 1, 3] }), [0, 0, width]);
}
