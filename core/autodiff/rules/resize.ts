/** Changing the resolution of images. Along each axis the result is a matrix times the input. */
import { intAttribute, stringAttribute } from '../../onnx/attributes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';
import { interpolation, type Interpolation } from './interpolation.ts';

/** Attributes with one value we can differentiate through, which is their default. */
const ONLY: Readonly<Record<string, string>> = { keep_aspect_ratio_policy: 'stretch' };

interface Axis {
  readonly axis: number;
  readonly matrix: Interpolation;
}

/** The axes that are resized. */
function axesOf(c: RuleContext): Axis[] {
  const [x] = c.inputs as [string];
  for (const [name, only] of Object.entries(ONLY))
    if (stringAttribute(c.node, name, only) !== only) throw c.unsupported(`${name} must be ${only}`);
  if (intAttribute(c.node, 'antialias', 0) !== 0) throw c.unsupported('antialias must be 0');
  const from = c.shape(x);
  const to = c.shape(c.outputs[0]!);
  const scalesName = c.inputs[2] ?? '';
  const scales = scalesName === '' ? undefined : c.constant(scalesName);
  if (scalesName !== '' && scales === undefined)
    throw c.unsupported(`its scales ${scalesName} are computed, and must be constant`);
  const axes = c.node.attribute.find((each) => each.name === 'axes')?.ints.map(Number) ?? range(from.length);
  return axes
    .map((axis) => (axis < 0 ? axis + from.length : axis))
    .flatMap((axis, i) => {
      const [size, result] = [from[axis], to[axis]];
      const scale = scales === undefined || scales.data.length === 0 ? undefined : Number(scales.data[i]);
      if (scale === 1 || (scale === undefined && size === result)) return [];
      if (typeof size !== 'number' || typeof result !== 'number')
        throw c.unsupported(`it resizes axis ${axis} from ${size} to ${result}, which must both be known`);
      return [{ axis, matrix: interpolation(c, { size, result, scale: scale ?? result / size }) }];
    });
}

/** How often each element was repeated, where all along an axis were equally often: nearest by a whole factor. */
function repeats({ weights, size, result }: Interpolation): number | undefined {
  const factor = result / size;
  if (!Number.isInteger(factor)) return undefined;
  const isRepeated = range(result).every((at) => weights[at * size + Math.floor(at / factor)] === 1);
  return isRepeated ? factor : undefined;
}

/** The transposed matrix along one axis: `[…, result, …]` to `[…, size, …]`. */
function along(c: RuleContext, d: string, { axis, matrix }: Axis, dimensions: readonly (number | string)[]) {
  const { ops } = c;
  const { size, result, weights } = matrix;
  const rest = dimensions.slice(axis + 1).map(Number);
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
      return found === undefined ? 1 : repeats(found.matrix);
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
      dimensions = dimensions.map((dimension, axis) => (axis === each.axis ? each.matrix.size : dimension));
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
