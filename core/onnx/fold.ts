/**
 * Values that are known before a graph runs: its constants, and the integer arithmetic on shapes that exporters write
 * (a slice's end as a dimension divided by three). Vectors and scalars only: that is what shapes are made of.
 */
import type { TensorSpec, TensorValue } from '../tensors/tensor.ts';
import { intAttribute, tensorAttribute } from './attributes.ts';
import { isDefaultDomain } from './check.ts';
import type { Model } from './model.ts';
import type { NodeProto, TensorProto } from './proto.ts';
import { tensorProto, tensorValue } from './tensor.ts';

/** Integers by element, undefined where one depends on a symbolic dimension. */
interface Partial {
  readonly isScalar: boolean;
  readonly elements: readonly (number | undefined)[];
}

type Folding = (
  inputs: readonly Partial[],
  node: NodeProto,
  spec: TensorSpec | undefined,
) => Partial | undefined;

const elementwise =
  (operation: (a: number, b: number) => number): Folding =>
  ([a, b]) => {
    if (a === undefined || b === undefined) return undefined;
    const length = Math.max(a.elements.length, b.elements.length);
    const at = (each: Partial, i: number) => each.elements[each.elements.length === 1 ? 0 : i];
    const elements = Array.from({ length }, (_, i) => {
      const [x, y] = [at(a, i), at(b, i)];
      const value = x === undefined || y === undefined ? undefined : operation(x, y);
      return Number.isSafeInteger(value) ? value : undefined;
    });
    return { isScalar: a.isScalar && b.isScalar, elements };
  };

const same: Folding = ([x]) => x;

/** By operator. Inputs are only those that fold: an operator that needs more of them gives undefined. */
const FOLDINGS: Readonly<Record<string, Folding>> = {
  Identity: same,
  Cast: same,
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Div: elementwise((a, b) => Math.trunc(a / b)),
  // Whatever the axes: only a scalar becomes a vector, only a vector of one element a scalar.
  Unsqueeze: ([x]) => (x?.isScalar === true ? { ...x, isScalar: false } : undefined),
  Squeeze: ([x]) => (x?.elements.length === 1 ? { ...x, isScalar: true } : undefined),
  Concat: (inputs) =>
    inputs.every((each) => !each.isScalar)
      ? { isScalar: false, elements: inputs.flatMap((each) => each.elements) }
      : undefined,
  Gather: ([x, indices]) => {
    if (x === undefined || indices === undefined || x.isScalar) return undefined;
    const elements = indices.elements.map((index) =>
      index === undefined ? undefined : x.elements.at(index),
    );
    return { isScalar: indices.isScalar, elements };
  },
  Shape: (_, node, spec) => {
    if (spec === undefined) return undefined;
    const [start, end] = [intAttribute(node, 'start', 0), intAttribute(node, 'end', spec.shape.length)];
    const dimensions = spec.shape.slice(start, end);
    return {
      isScalar: false,
      elements: dimensions.map((each) => (typeof each === 'number' ? each : undefined)),
    };
  },
};

/** What a Constant node holds: a tensor, or numbers written without one. */
function constantValue(node: NodeProto): TensorValue | undefined {
  const tensor = tensorAttribute(node, 'value');
  if (tensor !== undefined) return tensorValue(tensor);
  const [attribute] = node.attribute;
  if (attribute === undefined) return undefined;
  const { i, f, ints, floats } = attribute;
  switch (attribute.name) {
    case 'value_int':
      return { dtype: 'I64', shape: [], data: BigInt64Array.of(i ?? 0n) };
    case 'value_ints':
      return { dtype: 'I64', shape: [ints.length], data: BigInt64Array.from(ints) };
    case 'value_float':
      return { dtype: 'F32', shape: [], data: Float32Array.of(f ?? 0) };
    case 'value_floats':
      return { dtype: 'F32', shape: [floats.length], data: Float32Array.from(floats) };
    default:
      return undefined;
  }
}

export interface Foldable {
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly types: ReadonlyMap<string, TensorSpec>;
}

/** @returns the value of a name that is known before the graph runs */
export function constantsOf({
  nodes,
  initializers,
  types,
}: Foldable): (name: string) => TensorValue | undefined {
  const tensors = new Map(initializers.map((tensor) => [tensor.name, tensor]));
  const producers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node])));
  const written = (name: string): TensorValue | undefined => {
    const tensor = tensors.get(name);
    if (tensor !== undefined) return tensorValue(tensor);
    const node = producers.get(name);
    return node?.opType === 'Constant' && isDefaultDomain(node.domain) ? constantValue(node) : undefined;
  };
  const folded = new Map<string, Partial | undefined>();
  const fold = (name: string): Partial | undefined => {
    if (folded.has(name)) return folded.get(name);
    const result = compute(name);
    folded.set(name, result);
    return result;
  };
  const isInteger = (name: string) => {
    const dtype = types.get(name)?.dtype;
    return dtype === 'I64' || dtype === 'I32';
  };
  return (name) => {
    const value = written(name);
    if (value !== undefined) return value;
    const partial = fold(name);
    if (partial === undefined || partial.elements.includes(undefined)) return undefined;
    const elements = partial.elements as readonly number[];
    const shape = partial.isScalar ? [] : [elements.length];
    return types.get(name)?.dtype === 'I32'
      ? { dtype: 'I32', shape, data: Int32Array.from(elements) }
      : { dtype: 'I64', shape, data: BigInt64Array.from(elements, BigInt) };
  };

  function compute(name: string): Partial | undefined {
    const value = written(name);
    if (value !== undefined) {
      const isVector = (value.dtype === 'I64' || value.dtype === 'I32') && value.shape.length <= 1;
      return isVector
        ? { isScalar: value.shape.length === 0, elements: Array.from(value.data, Number) }
        : undefined;
    }
    const node = producers.get(name);
    const folding = node !== undefined && isDefaultDomain(node.domain) ? FOLDINGS[node.opType] : undefined;
    if (node === undefined || folding === undefined || !isInteger(name)) return undefined;
    if (node.opType === 'Shape') return folding([], node, types.get(node.input[0] ?? ''));
    const inputs = node.input.map(fold);
    return inputs.some((each) => each === undefined)
      ? undefined
      : folding(inputs as Partial[], node, undefined);
  }
}

/** The model with the integers that can be computed as initializers; the same object where there are none. */
export function foldIntegers(model: Model, types: ReadonlyMap<string, TensorSpec>): Model {
  const { graph } = model;
  const constant = constantsOf({ nodes: graph.node, initializers: graph.initializer, types });
  const folded = new Map<NodeProto, TensorProto>();
  for (const node of graph.node) {
    const [name = ''] = node.output;
    const value = node.opType in FOLDINGS && isDefaultDomain(node.domain) ? constant(name) : undefined;
    if (value !== undefined) folded.set(node, tensorProto(name, value));
  }
  if (folded.size === 0) return model;
  const node = graph.node.filter((each) => !folded.has(each));
  return { ...model, graph: { ...graph, node, initializer: [...graph.initializer, ...folded.values()] } };
}
