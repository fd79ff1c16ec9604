/** Who reads and writes which value: renaming and dead code. */
import type { Model } from './model.ts';
import type { AttributeProto, GraphProto, NodeProto } from './proto.ts';

/** Every value a node reads: its inputs, and what its subgraphs take from around them. */
export function readsOf(node: NodeProto): readonly string[] {
  const captured = subgraphsOf(node).flatMap((graph) => {
    const own = new Set([
      ...graph.input.map((input) => input.name),
      ...graph.initializer.map((tensor) => tensor.name),
      ...graph.node.flatMap((inner) => inner.output),
    ]);
    const reads = [...graph.node.flatMap(readsOf), ...graph.output.map((output) => output.name)];
    return reads.filter((name) => !own.has(name));
  });
  return [...node.input, ...captured].filter((name) => name !== '');
}

const subgraphsOf = (node: NodeProto): readonly GraphProto[] =>
  node.attribute.flatMap((attribute) => [
    ...(attribute.g === undefined ? [] : [attribute.g]),
    ...attribute.graphs,
  ]);

/** Nodes that some of the roots depend on, in their order. */
export function ancestors(nodes: readonly NodeProto[], roots: Iterable<string>): NodeProto[] {
  const wanted = new Set(roots);
  const kept: NodeProto[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.output.some((name) => wanted.has(name))) continue;
    for (const name of readsOf(node)) wanted.add(name);
    kept.push(node);
  }
  return kept.toReversed();
}

/** Without the nodes and initializers that no graph output depends on. Declared inputs stay. */
export function prune(model: Model): Model {
  const { graph } = model;
  const outputs = graph.output.map((output) => output.name);
  const node = ancestors(graph.node, outputs);
  const read = new Set([...node.flatMap(readsOf), ...outputs]);
  const initializer = graph.initializer.filter((tensor) => read.has(tensor.name));
  return { ...model, graph: { ...graph, node, initializer } };
}

/** Values computed under the names of the outputs they are handed to by an Identity, and not copied there. */
export function computeOutputsInPlace(model: Model): Model {
  const { graph } = model;
  const outputs = new Set(graph.output.map((output) => output.name));
  const computed = new Set(graph.node.flatMap((node) => node.output));
  const names = new Map<string, string>();
  const isAlias = ({ opType, input: [from = ''], output: [to = ''] }: NodeProto) => {
    if (opType !== 'Identity' || !outputs.has(to) || outputs.has(from)) return false;
    if (!computed.has(from) || names.has(from)) return false;
    names.set(from, to);
    return true;
  };
  const node = graph.node.filter((each) => !isAlias(each)).map((each) => renameNode(each, names));
  return { ...model, graph: { ...graph, node } };
}

/** The node with its subgraphs replaced. */
export function withSubgraphs(node: NodeProto, replace: (graph: GraphProto) => GraphProto): NodeProto {
  if (subgraphsOf(node).length === 0) return node;
  const attribute = node.attribute.map((each): AttributeProto => ({
    ...each,
    ...(each.g === undefined ? {} : { g: replace(each.g) }),
    graphs: each.graphs.map(replace),
  }));
  return { ...node, attribute };
}

/** Every name of a value in the graph and its subgraphs. */
export function namesOf(graph: GraphProto): Set<string> {
  return new Set([
    ...graph.input.map((input) => input.name),
    ...graph.initializer.map((tensor) => tensor.name),
    ...graph.node.flatMap((node) => [
      ...node.output,
      ...subgraphsOf(node).flatMap((inner) => [...namesOf(inner)]),
    ]),
  ]);
}

/** The node with values renamed, in its subgraphs too. */
export function renameNode(node: NodeProto, names: ReadonlyMap<string, string>): NodeProto {
  const to = (name: string) => names.get(name) ?? name;
  const renamed = withSubgraphs(node, (graph) => ({
    ...graph,
    node: graph.node.map((inner) => renameNode(inner, names)),
    output: graph.output.map((output) => ({ ...output, name: to(output.name) })),
  }));
  return { ...renamed, input: node.input.map(to), output: node.output.map(to) };
}
