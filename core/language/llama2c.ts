/**
 * Checkpoints of llama2.c in its first format (github.com/karpathy/llama2.c, export.py, `legacy_export`): seven
 * little-endian int32, then float32 weights kind by kind, each kind for all layers.
 */
import { Fault } from '../errors.ts';
import { checkLlamaConfig, type LlamaConfig, llamaShapes } from '../onnx/builders/llama-config.ts';
import { elementCount, type TensorValue } from '../tensors/tensor.ts';

export interface LlamaCheckpoint {
  readonly config: LlamaConfig;
  /** By the names of `llamaShapes`: views of the file. */
  readonly weights: ReadonlyMap<string, TensorValue>;
}

const HEADER_BYTES = 7 * 4;

/** The file's order; `*` stands for every layer. */
const ORDER = [
  'tok_embeddings.weight',
  'layers.*.attention_norm.weight',
  'layers.*.attention.wq.weight',
  'layers.*.attention.wk.weight',
  'layers.*.attention.wv.weight',
  'layers.*.attention.wo.weight',
  'layers.*.ffn_norm.weight',
  'layers.*.feed_forward.w1.weight',
  'layers.*.feed_forward.w2.weight',
  'layers.*.feed_forward.w3.weight',
  'norm.weight',
  'ROTARY_TABLES',
  'output.weight',
] as const;

const bad = (what: string) =>
  new Fault('invalid', `not a llama2.c checkpoint: ${what}`, { field: 'checkpoint' });

/** @throws Fault `invalid` where there is no header, or no such model */
export function llama2cConfig(bytes: Uint8Array): LlamaConfig {
  if (bytes.length < HEADER_BYTES)
    throw bad(`the header needs ${HEADER_BYTES} bytes, there are ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const word = (index: number) => view.getInt32(4 * index, true);
  const config: LlamaConfig = {
    dimension: word(0),
    hiddenDimension: word(1),
    layers: word(2),
    heads: word(3),
    keyValueHeads: word(4),
    // A negative vocabulary says that the classifier has weights of its own.
    vocabulary: Math.abs(word(5)),
    contextLength: word(6),
    isClassifierShared: word(5) > 0,
  };
  try {
    checkLlamaConfig(config);
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    throw bad(thrown.message);
  }
  return config;
}

interface Extent {
  /** undefined: nothing we read. */
  readonly name?: string;
  readonly length: number;
}

/** The weights in the file's order, and what is skipped between them, in elements. */
function layout(config: LlamaConfig): Extent[] {
  const shapes = llamaShapes(config);
  const { dimension, heads, contextLength } = config;
  return ORDER.flatMap((entry): Extent[] => {
    // Cosines and sines of all positions: they follow from the configuration.
    if (entry === 'ROTARY_TABLES') return [{ length: (contextLength * dimension) / heads }];
    const layers = entry.includes('*') ? Array.from({ length: config.layers }, (_, i) => i) : [0];
    return layers
      .map((layer) => entry.replace('*', String(layer)))
      .filter((name) => shapes.has(name))
      .map((name) => ({ name, length: elementCount(shapes.get(name)!) }));
  });
}

/** Bytes of the checkpoint that begins here: what follows in a packed file is not its own. @throws Fault `invalid` */
export function llama2cLength(bytes: Uint8Array): number {
  const elements = layout(llama2cConfig(bytes)).reduce((sum, { length }) => sum + length, 0);
  return HEADER_BYTES + 4 * elements;
}

/** @throws Fault `invalid` where the bytes are not exactly one checkpoint */
export function parseLlama2c(bytes: Uint8Array<ArrayBuffer>): LlamaCheckpoint {
  const config = llama2cConfig(bytes);
  const expected = llama2cLength(bytes);
  if (bytes.length !== expected)
    throw bad(`its header asks for ${expected} bytes, there are ${bytes.length}`);
  const shapes = llamaShapes(config);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const weights = new Map<string, TensorValue>();
  let at = aligned.byteOffset + HEADER_BYTES;
  for (const { name, length } of layout(config)) {
    if (name !== undefined) {
      const data = new Float32Array(aligned.buffer, at, length);
      weights.set(name, { dtype: 'F32', shape: shapes.get(name)!, data });
    }
    at += 4 * length;
  }
  return { config, weights };
}
