/** Changing the resolution of images. Along each axis the result is a matrix times the input. */
import { intAttribute, intsAttribute, stringAttribute } from '../../onnx/attributes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { positiveAxis, range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';
import { interpolation, type Shares } from './interpolation.ts';

interface Axis {
  readonly axis: number;
  readonly size: number;
  readonly result: number;
  /** What each result is made of. */
  readonly shares: readonly Shares[];
}

/** Elements of the largest matrix we write into a graph: 64 MiB. */
const LARGEST = 2 ** 24;

/** The axes that are resized. */
function axesOf(c: RuleContext): Axis[] {
  const [x] = c.inputs as [string];
  if (stringAttribute(c.node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch')
    throw c.unsupported('keep_aspect_ratio_policy must be stretch');
  if (intAttribute(c.node, 'antialias', 0) !== 0) throw c.unsupported('antialias must be 0');
  const from = c.shape(x);
  const to = c.shape(c.outputs[0]!);
  const scalesName = c.inputs[2] ?? '';
  const scales = scalesName === '' ? undefined : c.constant(scalesName);
  if (scalesName !== '' && scales === undefined)
    throw c.unsupported(`its scales ${scalesName} are computed, and must be constant`);
  const axes = intsAttribute(c.node, 'axes') ?? range(from.length);
  return axes
    .map((axis) => positiveAxis(axis, from.length))
    .flatMap((axis, i) => {
      const [size, result] = [from[axis], to[axis]];
      const scale = scales === undefined || scales.data.length === 0 ? undefined : Number(scales.data[i]);
      const isBatch = axis === 0 && scale === undefined && typeof size === 'string';
      if (scale === 1 || isBatch || (scale === undefined && size === result)) return [];
      if (typeof size !== 'number' || typeof result !== 'number')
        throw c.unsupported(`it resizes axis ${axis} from ${size} to ${result}, which must both be known`);
      const lengths = { size, result, scale: scale ?? result / size };
      return [{ axis, size, result, shares: interpolation(c, lengths) }];
    });
}

/** How often each element was repeated, where all along an axis were equally often: nearest by a whole factor. */
function repeats({ shares, size, result }: Axis): number | undefined {
  const factor = result / size;
  if (!Number.isInteger(factor)) return undefined;
  const isRepeated = shares.every((from, at) => from.size === 1 && from.get(Math.floor(at / factor)) === 1);
  return isRepeated ? factor : undefined;
}

/** The transposed matrix along one axis: `[…, result, …]` to `[…, size, …]`. */
function along(c: RuleContext, d: string, axis: Axis, dimensions: readonly (number | string)[]) {
  const { ops } = c;
  const { size, result, shares } = axis;
  if (size * result > LARGEST)
    throw c.unsupported(
      `from ${size} to ${result} is too long for a matrix: ${LARGEST} elements are allowed`,
    );
  const weights = new Float32Array(size * result);
  for (const [row, from] of shares.entries())
    for (const [at, weight] of from) weights[row * size + at] = weight;
  const rest = dimensions.slice(axis.axis + 1).map(Number);
  const inner = elementCount(rest);
  const isLast = inner === 1;
  const constant = ops.graph.constant({ dtype: 'F32', shape: [result, size], data: weights });
  const stacked = ops.reshape(d, isLast ? [-1, result] : [-1, result, inner]);
  return isLast
    ? ops.op('MatMul', [stacked, constant])
    : ops.op('MatMul', [ops.transpose(constant, [1, 0]), stacked]);
}

const resize: RuleTable[string] = (c) => [
  () => {
    const { ops, d, dtype } = c;
    const x = c.inputs[0]!;
    const shape = c.shape(x);
    const resized = axesOf(c);
    const factors = range(shape.length).map((axis) => {
      const found = resized.find((each) => each.axis === axis);
      return found === undefined ? 1 : repeats(found);
    });
    // Whole repeats are added up by pooling.
    const kernel = factors.slice(2);
    if (
      kernel.length > 0 &&
      factors.every((factor) => factor !== undefined) &&
      factors[0] === 1 &&
      factors[1] === 1
    ) {
      const kernelShape = kernel.map(Number);
      const pooled = ops.op('AveragePool', [d], { kernel_shape: kernelShape, strides: kernelShape });
      return ops.mul(pooled, ops.scalar(dtype, elementCount(kernelShape)));
    }
    let dimensions = c.shape(c.outputs[0]!);
    let gradient = d;
    for (const each of resized.toReversed()) {
      gradient = along(c, gradient, each, dimensions);
      dimensions = dimensions.map((dimension, axis) => (axis === each.axis ? each.size : dimension));
    }
    return ops.like(gradient, x, shape);
  },
];

/** Blocks to channels and back: each undoes the other, in mode DCR. */
const depthToSpace: RuleTable[string] = (c) => [
  () => {
    const { ops, d } = c;
    const blocksize = intAttribute(c.node, 'blocksize');
    if (stringAttribute(c.node, 'mode', 'DCR') === 'DCR') return ops.op('SpaceToDepth', [d], { blocksize });
    const x = c.inputs[0]!;
    const shape = c.shape(x);
    const [, depth, height, width] = shape.map(Number);
    const blocks = [-1, depth! / blocksize ** 2, height!, blocksize, width!, blocksize];
    // [N, C, H, b, W, b] to [N, C, b, b, H, W]
    return ops.like(ops.transpose(ops.reshape(d, blocks), [0, 1, 3, 5, 2, 4]), x, shape);
  },
];

const spaceToDepth: RuleTable[string] = (c) => [
  () => c.ops.op('DepthToSpace', [c.d], { blocksize: intAttribute(c.node, 'blocksize') }),
];

export const RESIZE: RuleTable = {
  Resize: resize,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
