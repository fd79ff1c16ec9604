/**
 * Rules of dynamic quantisation by operator. The forms are those ONNX Runtime fuses when it creates a session:
 * DynamicQuantizeLinear, MatMulInteger, Cast, Mul by both scales and Add of a bias become one DynamicQuantizeMatMul.
 *
 * Weights of products are unsigned bytes around 128, not signed ones: where a processor multiplies unsigned by signed
 * bytes in pairs (x86 without VNNI: vpmaddubsw), the sum of a pair saturates at 16 bits and the answer is wrong
 * without a word (onnxruntime.ai, "Quantize ONNX models", "U8S8"). Unsigned times unsigned is exact everywhere, and
 * no slower in WebAssembly, where such models are served.
 */
import { floatAttribute, intAttribute } from '../attributes.ts';
import type { NodeProto } from '../proto.ts';
import { DTYPES } from '../../tensors/dtypes.ts';
import type { Rewriter, Weight } from './rewriter.ts';
import { quantizeRows, toUnsigned, transpose, UNSIGNED_ZERO } from './scale.ts';

/** Writes the node anew; nothing written where it stays as it is. @returns whether it did */
export type Rule = (node: NodeProto, to: Rewriter) => boolean;

const TO_FLOAT = { to: DTYPES.F32.onnx };

const unsignedZero = (to: Rewriter) =>
  to.constant('quantized/zero', () => ({ dtype: 'U8', shape: [], data: Uint8Array.of(UNSIGNED_ZERO) }));

const scalar = (to: Rewriter, value: number) =>
  to.constant(`quantized/${value}`, () => ({ dtype: 'F32', shape: [], data: Float32Array.of(value) }));

/** The right operand of a product: bytes `[K, N]`, scales `[N]`. */
function operand({ name, shape, data, transposed }: Weight, to: Rewriter) {
  const [rows = 0, columns = 0] = shape;
  const channels = transposed ? rows : columns;
  const depth = transposed ? columns : rows;
  const quantized = quantizeRows(transposed ? data : transpose(data, depth, channels), channels);
  if (quantized === undefined) return undefined;
  const stem = transposed ? `${name}/transposed` : name;
  return {
    bytes: to.constant(`${stem}/quantized`, () => ({
      dtype: 'U8',
      shape: [depth, channels],
      data: toUnsigned(transpose(quantized.integers, channels, depth)),
    })),
    scales: to.constant(`${stem}/scale`, () => ({
      dtype: 'F32',
      shape: [channels],
      data: quantized.scales,
    })),
  };
}

/** `x · w`, times `alpha` where it is not 1. @returns the name of the result, `output` where given; undefined: not done */
function product(
  x: string,
  weight: Weight,
  to: Rewriter,
  { alpha = 1, output }: { readonly alpha?: number; readonly output?: string | undefined },
): string | undefined {
  const right = operand(weight, to);
  if (right === undefined) return undefined;
  const left = to.quantized(x);
  const sums = to.op('MatMulInteger', [left.integers, right.bytes, left.zero, unsignedZero(to)]);
  const scales = alpha === 1 ? right.scales : to.op('Mul', [right.scales, scalar(to, alpha)]);
  const scale = to.op('Mul', [left.scale, scales]);
  return to.op('Mul', [to.op('Cast', [sums], TO_FLOAT), scale], {}, output);
}

const matMul: Rule = ({ input, output }, to) => {
  const weight = to.weight(input[1]);
  if (weight?.shape.length !== 2) return false;
  return product(input[0]!, weight, to, { output: output[0] }) !== undefined;
};

/** `alpha · A · B + beta · C`. */
const gemm: Rule = (node, to) => {
  const [a = '', b, c = ''] = node.input;
  const found = to.weight(b);
  if (found?.shape.length !== 2 || intAttribute(node, 'transA', 0) !== 0) return false;
  const transB = intAttribute(node, 'transB', 0) !== 0;
  const weight = { ...found, transposed: found.transposed !== transB };
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  const output = node.output[0];
  if (c === '' || beta === 0) return product(a, weight, to, { alpha, output }) !== undefined;
  const value = product(a, weight, to, { alpha });
  if (value === undefined) return false;
  const bias = beta === 1 ? c : to.op('Mul', [c, scalar(to, beta)]);
  to.op('Add', [value, bias], {}, output);
  return true;
};

/** Grouped and depthwise ones stay as they are: their sums are short, and the integers gain nothing. */
const conv: Rule = (node, to) => {
  const [x = '', w, b = ''] = node.input;
  const weight = to.weight(w);
  if (weight === undefined || weight.transposed || intAttribute(node, 'group', 1) !== 1) return false;
  const { name, shape, data } = weight;
  const channels = shape[0] ?? 0;
  const quantized = quantizeRows(data, channels);
  if (quantized === undefined) return false;
  const bytes = to.constant(`${name}/quantized`, () => ({
    dtype: 'U8',
    shape,
    data: toUnsigned(quantized.integers),
  }));
  const perChannel = [channels, ...shape.slice(2).map(() => 1)];
  const scales = to.constant(`${name}/scale`, () => ({
    dtype: 'F32',
    shape: perChannel,
    data: quantized.scales,
  }));
  const left = to.quantized(x);
  const sums = to.op('ConvInteger', [left.integers, bytes, left.zero, unsignedZero(to)], node.attribute);
  const scale = to.op('Mul', [left.scale, scales]);
  const factors = [to.op('Cast', [sums], TO_FLOAT), scale];
  const output = node.output[0];
  if (b === '') {
    to.op('Mul', factors, {}, output);
    return true;
  }
  const as = to.constant(`quantized/channels_${shape.length}`, () => ({
    dtype: 'I64',
    shape: [perChannel.length],
    data: BigInt64Array.from(perChannel, (_, axis) => (axis === 0 ? -1n : 1n)),
  }));
  to.op('Add', [to.op('Mul', factors), to.op('Reshape', [b, as])], {}, output);
  return true;
};

/** Rows of an embedding table, each with its scale: signed bytes, nothing multiplies them. */
const gather: Rule = (node, to) => {
  const [table, indices = ''] = node.input;
  const weight = to.weight(table);
  if (weight?.shape.length !== 2 || weight.transposed || intAttribute(node, 'axis', 0) !== 0) return false;
  const { name, shape, data } = weight;
  const rows = shape[0] ?? 0;
  const quantized = quantizeRows(data, rows);
  if (quantized === undefined) return false;
  const bytes = to.constant(`${name}/rows`, () => ({ dtype: 'I8', shape, data: quantized.integers }));
  const scales = to.constant(`${name}/row_scale`, () => ({
    dtype: 'F32',
    shape: [rows, 1],
    data: quantized.scales,
  }));
  const picked = to.op('Cast', [to.op('Gather', [bytes, indices])], TO_FLOAT);
  to.op('Mul', [picked, to.op('Gather', [scales, indices])], {}, node.output[0]);
  return true;
};

export const RULES: Readonly<Record<string, Rule | undefined>> = {
  Conv: conv,
  Gather: gather,
  Gemm: gemm,
  MatMul: matMul,
};
