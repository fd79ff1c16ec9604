/** A llama2.c checkpoint of random weights, and the model's formulas written out plainly in float64. */
import { llamaShapes, type LlamaConfig } from '../../../core/onnx/builders/llama-config.ts';
import { createRandom } from '../../../core/random.ts';
import { elementCount, type TensorValue } from '../../../core/tensors/tensor.ts';

/** Grouped queries and a classifier of its own, unless told otherwise. */
export function tinyConfig(change: Partial<LlamaConfig> = {}): LlamaConfig {
  return {
    dimension: 16,
    hiddenDimension: 24,
    layers: 2,
    heads: 4,
    keyValueHeads: 2,
    vocabulary: 11,
    contextLength: 8,
    isClassifierShared: false,
    ...change,
  };
}

export function tinyWeights(config: LlamaConfig, seed: number): Map<string, TensorValue> {
  return new Map(
    [...llamaShapes(config)].map(([name, shape], i) => {
      const random = createRandom(seed, i);
      const isGain = shape.length === 1;
      const scale = isGain ? 0.2 : 1 / Math.sqrt(shape[1]!);
      const data = Float32Array.from(
        { length: elementCount(shape) },
        () => (isGain ? 1 : 0) + scale * random.normal(),
      );
      return [name, { dtype: 'F32', shape, data }];
    }),
  );
}

/** The file, written as llama2.c's `legacy_export` does: kind by kind, with the rotary tables it still carries. */
export function llama2cFile(
  config: LlamaConfig,
  weights: ReadonlyMap<string, TensorValue>,
): Uint8Array<ArrayBuffer> {
  const { layers, heads, dimension, contextLength, vocabulary, isClassifierShared } = config;
  const header = [
    dimension,
    config.hiddenDimension,
    layers,
    heads,
    config.keyValueHeads,
    isClassifierShared ? vocabulary : -vocabulary,
    contextLength,
  ];
  const values: number[] = [];
  const write = (name: string) => values.push(...(weights.get(name)!.data as Float32Array));
  const writeLayers = (name: string) => {
    for (let i = 0; i < layers; i++) write(`layers.${i}.${name}.weight`);
  };
  write('tok_embeddings.weight');
  for (const kind of ['attention_norm', 'attention.wq', 'attention.wk', 'attention.wv', 'attention.wo'])
    writeLayers(kind);
  for (const kind of ['ffn_norm', 'feed_forward.w1', 'feed_forward.w2', 'feed_forward.w3']) writeLayers(kind);
  write('norm.weight');
  for (let i = 0; i < (contextLength * dimension) / heads; i++) values.push(Number.NaN);
  if (!isClassifierShared) write('output.weight');
  const file = new Uint8Array(4 * (header.length + values.length));
  const view = new DataView(file.buffer);
  header.forEach((word, i) => view.setInt32(4 * i, word, true));
  values.forEach((value, i) => view.setFloat32(4 * (header.length + i), value, true));
  return file;
}

type Vector = readonly number[];

/** Logits after each token: one position after the other with remembered keys and values, as llama2.c's run.c goes. */
export function referenceLogits(
  config: LlamaConfig,
  weights: ReadonlyMap<string, TensorValue>,
  tokens: readonly number[],
): number[][] {
  const { dimension, layers, heads, keyValueHeads, isClassifierShared } = config;
  const size = dimension / heads;
  const row = (name: string, index: number): Vector => {
    const { shape, data } = weights.get(name)!;
    const width = shape.at(-1)!;
    return [...(data as Float32Array).subarray(index * width, (index + 1) * width)];
  };
  const dot = (a: Vector, b: Vector) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const times = (name: string, x: Vector): number[] =>
    Array.from({ length: weights.get(name)!.shape[0]! }, (_, i) => dot(row(name, i), x));
  const plus = (a: Vector, b: Vector) => a.map((value, i) => value + b[i]!);
  const normalize = (name: string, x: Vector) => {
    const scale = 1 / Math.sqrt(dot(x, x) / x.length + 1e-5);
    return x.map((value, i) => value * scale * row(name, 0)[i]!);
  };
  const rotate = (x: Vector, position: number) =>
    x.map((value, i) => {
      const angle = position / 10_000 ** (((i - (i % 2)) % size) / size);
      return i % 2 === 0
        ? value * Math.cos(angle) - x[i + 1]! * Math.sin(angle)
        : x[i - 1]! * Math.sin(angle) + value * Math.cos(angle);
    });
  const softmax = (scores: Vector) => {
    const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  };

  const keys: Vector[][] = Array.from({ length: layers }, () => []);
  const values: Vector[][] = Array.from({ length: layers }, () => []);
  return tokens.map((token, position) => {
    let x: Vector = row('tok_embeddings.weight', token);
    for (let layer = 0; layer < layers; layer++) {
      const weight = (name: string) => `layers.${layer}.${name}.weight`;
      const input = normalize(weight('attention_norm'), x);
      const query = rotate(times(weight('attention.wq'), input), position);
      keys[layer]!.push(rotate(times(weight('attention.wk'), input), position));
      values[layer]!.push(times(weight('attention.wv'), input));
      const mixed = Array.from({ length: heads }, (_, head) => {
        const part = (vector: Vector, index: number) => vector.slice(index * size, (index + 1) * size);
        const shared = Math.floor(head / (heads / keyValueHeads));
        const scores = keys[layer]!.map((key) => dot(part(query, head), part(key, shared)) / Math.sqrt(size));
        const attention = softmax(scores);
        return Array.from({ length: size }, (_, i) =>
          dot(
            attention,
            values[layer]!.map((value) => part(value, shared)[i]!),
          ),
        );
      }).flat();
      x = plus(x, times(weight('attention.wo'), mixed));
      const hidden = normalize(weight('ffn_norm'), x);
      const gate = times(weight('feed_forward.w1'), hidden).map((value) => value / (1 + Math.exp(-value)));
      const up = times(weight('feed_forward.w3'), hidden);
      x = plus(
        x,
        times(
          weight('feed_forward.w2'),
          gate.map((value, i) => value * up[i]!),
        ),
      );
    }
    const last = normalize('norm.weight', x);
    return times(isClassifierShared ? 'tok_embeddings.weight' : 'output.weight', last);
  });
}
