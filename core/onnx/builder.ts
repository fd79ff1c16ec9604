/** Writes ONNX graphs node by node. Names are made unique; equal constants are written once. */
import { DTYPES } from '../tensors/dtypes.ts';
import type { TensorSpec, TensorValue } from '../tensors/tensor.ts';
import { attribute, type Attributes } from './attributes.ts';
import { checkModel } from './check.ts';
import type { Model } from './model.ts';
import type { NodeProto, StringEntry, TensorProto, ValueInfo } from './proto.ts';
import { tensorProto } from './tensor.ts';

/** What we write: ONNX 1.16. */
export const WRITTEN_OPSET = 21;
export const WRITTEN_IR = 10;

export function valueInfo({ name, dtype, shape }: TensorSpec): ValueInfo {
  const dim = shape.map((dimension) =>
    typeof dimension === 'number'
      ? { dimValue: dimension, dimParam: '', denotation: '' }
      : { dimParam: dimension, denotation: '' },
  );
  const type = { tensorType: { elemType: DTYPES[dtype].onnx, shape: { dim } }, denotation: '' };
  return { name, type, docString: '' };
}

export function nodeProto(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Attributes = {},
): NodeProto {
  return {
    opType,
    input,
    output,
    name: '',
    domain: '',
    docString: '',
    attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  };
}

export class GraphBuilder {
  private readonly nodes: NodeProto[] = [];
  private readonly initializers: TensorProto[] = [];
  private readonly inputs: ValueInfo[] = [];
  private readonly outputs: ValueInfo[] = [];
  private readonly metadata: StringEntry[] = [];
  private readonly taken: Set<string>;
  private readonly constants = new Map<string, string>();
  private readonly counters = new Map<string, number>();

  /** @param reserved names the caller will bring in itself, never to be given to something new */
  constructor(reserved: Iterable<string> = []) {
    this.taken = new Set(reserved);
  }

  /** @returns a name nobody has yet */
  fresh(stem: string): string {
    let count = this.counters.get(stem) ?? 0;
    let name: string;
    do name = `${stem}_${count++}`;
    while (this.taken.has(name));
    this.counters.set(stem, count);
    this.taken.add(name);
    return name;
  }

  input(spec: TensorSpec): string {
    this.taken.add(spec.name);
    this.inputs.push(valueInfo(spec));
    return spec.name;
  }

  /** Declares a value, which some node computes, an output of the graph. */
  output(spec: TensorSpec): void {
    this.outputs.push(valueInfo(spec));
  }

  initializer(name: string, value: TensorValue): string {
    this.taken.add(name);
    this.initializers.push(tensorProto(name, value));
    return name;
  }

  /** An initializer with a name of its own choosing; asked twice for the same value, it answers the same name. */
  constant(value: TensorValue): string {
    const { data } = value;
    const bits = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).join();
    const key = `${value.dtype}[${value.shape.join()}]${bits}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.initializer(this.fresh('constant'), value);
    this.constants.set(key, name);
    return name;
  }

  /** Adds a node as it is, names included. */
  append(node: NodeProto): void {
    for (const name of node.output) this.taken.add(name);
    this.nodes.push(node);
  }

  /** Adds an initializer as it is. */
  appendInitializer(tensor: TensorProto): void {
    this.taken.add(tensor.name);
    this.initializers.push(tensor);
  }

  /** Adds a node of the default domain. @returns its outputs' new names */
  multi(opType: string, inputs: readonly string[], count: number, attributes: Attributes = {}): string[] {
    const outputs = Array.from({ length: count }, () => this.fresh(opType));
    this.nodes.push(nodeProto(opType, inputs, outputs, attributes));
    return outputs;
  }

  /** Adds a node with one output. @param output its name, made up where left out */
  op(opType: string, inputs: readonly string[], attributes: Attributes = {}, output?: string): string {
    const name = output ?? this.fresh(opType);
    this.taken.add(name);
    this.nodes.push(nodeProto(opType, inputs, [name], attributes));
    return name;
  }

  annotate(key: string, value: string): void {
    this.metadata.push({ key, value });
  }

  /** @throws Fault where the graph is not sound: a mistake of the caller */
  build(name: string): Model {
    return checkModel({
      irVersion: WRITTEN_IR,
      producerName: 'causeway',
      producerVersion: '',
      domain: '',
      docString: '',
      opsetImport: [{ domain: '', version: WRITTEN_OPSET }],
      metadataProps: this.metadata,
      graph: {
        name,
        node: this.nodes,
        initializer: this.initializers,
        docString: '',
        input: this.inputs,
        output: this.outputs,
        valueInfo: [],
      },
    });
  }
}
