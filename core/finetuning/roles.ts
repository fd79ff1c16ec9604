/**
 * What a parameter is for, told by the nodes that read it. The classical initializations scale a weight by its fans:
 * how many products are summed for one output, and how many outputs one input takes part in.
 */
import { intAttribute, intsAttribute } from '../onnx/attributes.ts';
import { isDefaultDomain } from '../onnx/check.ts';
import type { NodeProto } from '../onnx/proto.ts';
import { elementCount } from '../tensors/tensor.ts';

export type Role =
  | { readonly kind: 'weight'; readonly fanIn: number; readonly fanOut: number }
  /** Added to what a product or a normalization gives: zero at first. */
  | { readonly kind: 'bias' }
  /** Multiplies what a normalization gives, or is the variance it starts from: one at first. */
  | { readonly kind: 'scale' };

const BIAS: Role = { kind: 'bias' };
const SCALE: Role = { kind: 'scale' };

type Shape = readonly number[];
type RoleOf = (node: NodeProto, shape: Shape) => Role | undefined;

const bias: RoleOf = () => BIAS;
const scale: RoleOf = () => SCALE;

/** Of a matrix, or a stack of them, by the axes that are summed over and that are kept; a vector keeps none. */
const matrix =
  (summed: 'last' | 'second to last'): RoleOf =>
  (_, shape) => {
    const [columns = 1, rows] = shape.toReversed();
    if (rows === undefined) return { kind: 'weight', fanIn: columns, fanOut: 1 };
    return summed === 'last'
      ? { kind: 'weight', fanIn: columns, fanOut: rows }
      : { kind: 'weight', fanIn: rows, fanOut: columns };
  };

const gemmA: RoleOf = (node, shape) =>
  matrix(intAttribute(node, 'transA', 0) === 1 ? 'second to last' : 'last')(node, shape);
const gemmB: RoleOf = (node, shape) =>
  matrix(intAttribute(node, 'transB', 0) === 1 ? 'last' : 'second to last')(node, shape);

/** Kernels `[out, in/group, …]`: each output sums in/group windows, each input is seen by out/group kernels. */
const convolution: RoleOf = (node, [out = 1, inPerGroup = 1, ...kernel]) => {
  const window = elementCount(kernel);
  return {
    kind: 'weight',
    fanIn: inPerGroup * window,
    fanOut: (out / intAttribute(node, 'group', 1)) * window,
  };
};

/** Kernels `[in, out/group, …]`. */
const transposedConvolution: RoleOf = (node, [inputs = 1, outPerGroup = 1, ...kernel]) => {
  const window = elementCount(kernel);
  return {
    kind: 'weight',
    fanIn: (inputs / intAttribute(node, 'group', 1)) * window,
    fanOut: outPerGroup * window,
  };
};

/** By operator: the role of each of its inputs. */
const ROLES: Readonly<Record<string, readonly (RoleOf | undefined)[]>> = {
  MatMul: [matrix('last'), matrix('second to last')],
  Gemm: [gemmA, gemmB, bias],
  Conv: [undefined, convolution, bias],
  ConvTranspose: [undefined, transposedConvolution, bias],
  LayerNormalization: [undefined, scale, bias],
  GroupNormalization: [undefined, scale, bias],
  InstanceNormalization: [undefined, scale, bias],
  // The running mean is zero and the running variance one before anything was seen.
  BatchNormalization: [undefined, scale, bias, bias, scale],
};

/** Operators whose result an Add adds a bias to. */
const PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Conv', 'ConvTranspose']);

/**
 * @returns by the name and shape of a value: its role in the first node that gives it one, also by way of a Transpose;
 *   undefined where none does
 */
export function rolesIn(nodes: readonly NodeProto[]): (name: string, shape: Shape) => Role | undefined {
  const readers = new Map<string, { readonly node: NodeProto; readonly input: number }[]>();
  const producers = new Map<string, NodeProto>();
  for (const node of nodes) {
    if (!isDefaultDomain(node.domain)) continue;
    for (const [input, name] of node.input.entries()) {
      const known = readers.get(name);
      if (known === undefined) readers.set(name, [{ node, input }]);
      else known.push({ node, input });
    }
    for (const name of node.output) producers.set(name, node);
  }

  const isProduct = (name: string | undefined) => PRODUCTS.has(producers.get(name ?? '')?.opType ?? '');
  const roleOf = (name: string, shape: Shape): Role | undefined => {
    for (const { node, input } of readers.get(name) ?? []) {
      const role = roleIn(node, input, shape);
      if (role !== undefined) return role;
    }
    return undefined;
  };
  const roleIn = (node: NodeProto, input: number, shape: Shape): Role | undefined => {
    const [output = ''] = node.output;
    if (node.opType === 'Identity') return roleOf(output, shape);
    if (node.opType === 'Transpose') {
      const perm = intsAttribute(node, 'perm');
      return roleOf(output, perm === undefined ? shape.toReversed() : perm.map((axis) => shape[axis] ?? 1));
    }
    if (node.opType === 'Add') return isProduct(node.input[1 - input]) ? BIAS : undefined;
    return ROLES[node.opType]?.[input]?.(node, shape);
  };
  return roleOf;
}
