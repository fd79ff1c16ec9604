/** The size of a Llama model, and what weights it has. */
import { Fault } from '../../errors.ts';

export interface LlamaConfig {
  /** Width of the residual stream. */
  readonly dimension: number;
  /** Width inside the feed-forward blocks. */
  readonly hiddenDimension: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; each serves `heads / keyValueHeads` heads of queries. */
  readonly keyValueHeads: number;
  readonly vocabulary: number;
  /** Tokens a sequence may have. */
  readonly contextLength: number;
  /** The classifier is the embedding itself; otherwise it is a weight of its own, `output.weight`. */
  readonly isClassifierShared: boolean;
}

/** @throws Fault `invalid` naming the first number that cannot be */
export function checkLlamaConfig(config: LlamaConfig): void {
  const { dimension, heads, keyValueHeads } = config;
  const refuse = (field: keyof LlamaConfig, message: string): never => {
    throw new Fault('invalid', `${field} is ${config[field]}: ${message}`, { field });
  };
  for (const [field, value] of Object.entries(config)) {
    if (typeof value === 'number' && !(Number.isInteger(value) && value >= 1 && value < 2 ** 24))
      refuse(field as keyof LlamaConfig, 'it must be a whole number from 1 to 16777215');
  }
  if (dimension % (2 * heads) !== 0)
    refuse('dimension', `it must be an even number for each of the ${heads} heads`);
  if (heads % keyValueHeads !== 0)
    refuse('keyValueHeads', `it must divide the number of heads, which is ${heads}`);
}

/** Shapes of the weights by the names Meta gave them. A matrix is `[out, in]`. */
export function llamaShapes(config: LlamaConfig): ReadonlyMap<string, readonly number[]> {
  const { dimension, hiddenDimension, layers, heads, keyValueHeads, vocabulary } = config;
  const keyValue = (dimension / heads) * keyValueHeads;
  const layer = {
    'attention_norm.weight': [dimension],
    'attention.wq.weight': [dimension, dimension],
    'attention.wk.weight': [keyValue, dimension],
    'attention.wv.weight': [keyValue, dimension],
    'attention.wo.weight': [dimension, dimension],
    'ffn_norm.weight': [dimension],
    'feed_forward.w1.weight': [hiddenDimension, dimension],
    'feed_forward.w2.weight': [dimension, hiddenDimension],
    'feed_forward.w3.weight': [hiddenDimension, dimension],
  };
  return new Map<string, readonly number[]>([
    ['tok_embeddings.weight', [vocabulary, dimension]],
    ...Array.from({ length: layers }, (_, i) =>
      Object.entries(layer).map(([name, shape]) => [`layers.${i}.${name}`, shape] as const),
    ).flat(),
    ['norm.weight', [dimension]],
    ...(config.isClassifierShared ? [] : [['output.weight', [vocabulary, dimension]] as const]),
  ]);
}
