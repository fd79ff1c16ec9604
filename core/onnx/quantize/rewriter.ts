/** What the rules of quantisation write with: new nodes and constants beside those the graph has. */
import { DTYPES } from '../../tensors/dtypes.ts';
import { elementCount, type TensorValue } from '../../tensors/tensor.ts';
import { type Attributes, intsAttribute, tensorAttribute } from '../attributes.ts';
import { nodeProto } from '../builder.ts';
import { isDefaultDomain } from '../check.ts';
import type { Model } from '../model.ts';
import type { AttributeProto, NodeProto, TensorProto } from '../proto.ts';
import { tensorProto, tensorValue } from '../tensor.ts';

/** A float32 constant of the graph. */
export interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** True where the graph reads the transpose of this matrix. */
  readonly transposed: boolean;
}

/** Outputs of DynamicQuantizeLinear: unsigned bytes, their scale, their zero point. */
export interface QuantizedInput {
  readonly integers: string;
  readonly scale: string;
  readonly zero: string;
}

export interface Rewriter {
  /** @returns undefined where the value is no float32 constant, or has fewer elements than are worth it */
  weight(name: string | undefined): Weight | undefined;
  /** Quantises a value while the graph runs: once, however many nodes read it. */
  quantized(name: string): QuantizedInput;
  /** Adds a node with one output. @param output its name, made up where left out */
  op(
    opType: string,
    inputs: readonly string[],
    attributes?: Attributes | readonly AttributeProto[],
    output?: string,
  ): string;
  /** Adds a constant; under a name it was given before, that one. @param value not called then */
  constant(name: string, value: () => TensorValue): string;
}

/** A {@link Rewriter}, and what was written with it. */
export interface Rewriting extends Rewriter {
  /** The graph's nodes in their order, those before and those in place of others. */
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
}

export function startRewriting({ graph }: Model, minElements: number): Rewriting {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const taken = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const constants = constantsOf(graph.node, graph.initializer);
  const turned = transposesOf(graph.node);
  const inputs = new Map<string, QuantizedInput>();
  const written = new Map<string, string>();

  const fresh = (stem: string): string => {
    let name = stem;
    for (let count = 1; taken.has(name); count++) name = `${stem}_${count}`;
    taken.add(name);
    return name;
  };

  return {
    nodes,
    initializers,
    weight(name = '') {
      const source = turned.get(name) ?? name;
      const tensor = constants.get(source);
      if (tensor?.dataType !== DTYPES.F32.onnx || elementCount(tensor.dims) < minElements) return undefined;
      const { shape, data } = tensorValue(tensor);
      return { name: source, shape, data: data as Float32Array, transposed: source !== name };
    },
    quantized(name) {
      const known = inputs.get(name);
      if (known !== undefined) return known;
      const [integers, scale, zero] = ['quantized', 'scale', 'zero_point'].map((part) =>
        fresh(`${name}/${part}`),
      ) as [string, string, string];
      nodes.push(nodeProto('DynamicQuantizeLinear', [name], [integers, scale, zero]));
      const made = { integers, scale, zero };
      inputs.set(name, made);
      return made;
    },
    op(opType, from, attributes = {}, output) {
      const name = output ?? fresh(`${from[0] ?? ''}/${opType}`);
      nodes.push(
        Array.isArray(attributes)
          ? { ...nodeProto(opType, from, [name]), attribute: attributes }
          : nodeProto(opType, from, [name], attributes as Attributes),
      );
      return name;
    },
    constant(name, value) {
      const known = written.get(name);
      if (known !== undefined) return known;
      const given = fresh(name);
      written.set(name, given);
      initializers.push(tensorProto(given, value()));
      return given;
    },
  };
}

function constantsOf(
  nodes: readonly NodeProto[],
  initializers: readonly TensorProto[],
): Map<string, TensorProto> {
  const constants = new Map(initializers.map((tensor) => [tensor.name, tensor]));
  for (const node of nodes) {
    const tensor = node.opType === 'Constant' ? tensorAttribute(node, 'value') : undefined;
    if (tensor !== undefined) constants.set(node.output[0] ?? '', tensor);
  }
  return constants;
}

/** Of matrices: output name → input name. An exporter that folds no constants leaves them before a MatMul. */
function transposesOf(nodes: readonly NodeProto[]): Map<string, string> {
  const transposes = new Map<string, string>();
  for (const node of nodes) {
    if (node.opType !== 'Transpose' || !isDefaultDomain(node.domain)) continue;
    if (intsAttribute(node, 'perm')?.join() !== '1,0') continue;
    transposes.set(node.output[0] ?? '', node.input[0] ?? '');
  }
  return transposes;
}
