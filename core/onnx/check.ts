/** What a decoded model must satisfy before anybody works with it. */
import { Fault } from '../errors.ts';
import {
  EXTERNAL,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfo,
} from './proto.ts';
import { checkTensor } from './tensor.ts';

/** Versions of the default operator set: 13 made the axes of ReduceSum, Squeeze and Unsqueeze inputs. */
export const OPSET = { min: 13, max: 21 } as const;

const invalid = (field: string, message: string) => new Fault('invalid', message, { field });
const unsupported = (field: string, message: string) => new Fault('unprocessable', message, { field });

/** How messages name a node: by its name, or its first output where it has none. */
export const nodeLabel = (node: NodeProto): string =>
  `${node.opType} node ${node.name === '' ? (node.output[0] ?? '') : node.name}`;

/** The default domain has two spellings. */
export const isDefaultDomain = (domain: string): boolean => domain === '' || domain === 'ai.onnx';

/** What has passed {@link checkModel}. */
export interface Model extends ModelProto {
  readonly graph: GraphProto;
}

/** @throws Fault `invalid` or `unprocessable`, naming the part of the model that is wrong */
export function checkModel(proto: ModelProto): Model {
  const { graph } = proto;
  if (graph === undefined) throw invalid('model.graph', 'the model has no graph');
  opsetOf(proto);
  if (graph.output.length === 0) throw invalid('model.graph.output', 'the graph has no outputs');
  checkGraph(graph, new Set());
  return { ...proto, graph };
}

/** @returns the version of the default operator set */
export function opsetOf(proto: ModelProto): number {
  const version = proto.opsetImport.find((set) => isDefaultDomain(set.domain))?.version;
  const allowed = `${OPSET.min} to ${OPSET.max} are supported`;
  if (version === undefined)
    throw invalid('model.opsetImport', `the model names no default operator set: ${allowed}`);
  if (version < OPSET.min || version > OPSET.max)
    throw unsupported('model.opsetImport', `the model uses operator set ${version}: ${allowed}`);
  return version;
}

/** @param label how messages name the tensor */
function checkData(tensor: TensorProto, label: string, field: string): void {
  if (tensor.dataLocation === EXTERNAL || tensor.externalData.length > 0)
    throw unsupported(field, `${label} keeps its data in another file: save the model with its data inside`);
  if ((tensor.dataType ?? 0) === 0) throw invalid(field, `${label} has no element type`);
  checkTensor(tensor, label, field);
}

function checkInitializer(tensor: TensorProto): void {
  if (tensor.name === '') throw invalid('model.graph.initializer', 'an initializer has no name');
  checkData(tensor, `initializer ${tensor.name}`, `model.graph.initializer.${tensor.name}`);
}

function checkDeclarations(values: readonly ValueInfo[], kind: 'input' | 'output'): void {
  const names = new Set<string>();
  for (const { name, type } of values) {
    const field = `model.graph.${kind}.${name}`;
    if (name === '') throw invalid(`model.graph.${kind}`, `an ${kind} of the graph has no name`);
    if (names.has(name)) throw invalid(field, `there are two graph ${kind}s called ${name}`);
    names.add(name);
    const dimensions = type?.tensorType?.shape?.dim ?? [];
    const negative = dimensions.find(({ dimValue = 0 }) => dimValue < 0)?.dimValue;
    if (negative !== undefined)
      throw invalid(
        field,
        `graph ${kind} ${name} has the dimension ${negative}: one of any size has a name, like batch`,
      );
  }
}

/** @param outer values of the enclosing graphs, which a subgraph may read */
function checkGraph(graph: GraphProto, outer: ReadonlySet<string>): void {
  const known = new Set(outer);
  const initializers = new Set<string>();
  for (const tensor of graph.initializer) {
    checkInitializer(tensor);
    if (initializers.has(tensor.name))
      throw invalid('model.graph.initializer', `there are two initializers called ${tensor.name}`);
    initializers.add(tensor.name);
    known.add(tensor.name);
  }
  checkDeclarations(graph.input, 'input');
  checkDeclarations(graph.output, 'output');
  for (const input of graph.input) known.add(input.name);
  const produced = new Set(graph.node.flatMap((node) => node.output));
  graph.node.forEach((node, i) => checkNode(node, `model.graph.node[${i}]`, known, produced));
  for (const output of graph.output) {
    if (!known.has(output.name))
      throw invalid('model.graph.output', `nothing computes the graph output ${output.name}`);
  }
}

/** @param known values available before the node; its outputs are added */
function checkNode(node: NodeProto, field: string, known: Set<string>, produced: ReadonlySet<string>): void {
  if (node.opType === '') throw invalid(field, `node ${node.name} has no operator type`);
  for (const name of node.input) {
    if (name === '' || known.has(name)) continue;
    throw invalid(
      field,
      produced.has(name)
        ? `${nodeLabel(node)} reads ${name} before it is computed: the nodes form a cycle or are not in topological order`
        : `${nodeLabel(node)} reads ${name}, which is no input, initializer or output of another node`,
    );
  }
  for (const attribute of node.attribute) {
    for (const tensor of [attribute.t, ...attribute.tensors]) {
      if (tensor !== undefined)
        checkData(tensor, `the attribute ${attribute.name} of ${nodeLabel(node)}`, field);
    }
    for (const subgraph of [attribute.g, ...attribute.graphs]) {
      if (subgraph !== undefined) checkGraph(subgraph, known);
    }
  }
  for (const name of node.output) {
    if (name === '') continue;
    if (known.has(name)) throw invalid(field, `${nodeLabel(node)} writes ${name}, which exists already`);
    known.add(name);
  }
}
