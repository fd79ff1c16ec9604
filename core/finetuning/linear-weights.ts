/** Finds the weight matrices of a graph: initializers whose every use is a product y = x·W. */
import { intAttribute, intsAttribute } from '../onnx/attributes.ts';
import { isDefaultDomain } from '../onnx/check.ts';
import type { Model } from '../onnx/model.ts';
import { ancestors, readsOf } from '../onnx/names.ts';
import type { NodeProto } from '../onnx/proto.ts';

export interface LinearWeight {
  /** The initializer: float32, rank 2. */
  readonly name: string;
  /** Width of x, and of y. */
  readonly inputs: number;
  readonly outputs: number;
  /** False: stored `[inputs, outputs]`. True: `[outputs, inputs]`, as a Gemm with transB or a Transpose reads it. */
  readonly transposed: boolean;
  /** The MatMul and Gemm nodes whose second operand it is, directly or by way of a Transpose. */
  readonly products: readonly NodeProto[];
}

/**
 * A weight that anything else reads too (a Gather of a tied embedding, a subgraph, the outside as a graph output) is
 * none of them: a change of it could not be told from a change of the products. Nor is one that is read both
 * transposed and not.
 * @param roots values of the graph; a weight none of them depends on is left out
 * @returns in the order of the initializers
 */
export function linearWeights(model: Model, roots: readonly string[]): LinearWeight[] {
  const { graph } = model;
  const reached = new Set(ancestors(graph.node, roots));
  const readers = readersOf(graph.node);
  const outside = new Set(graph.output.map((output) => output.name));

  /** @returns undefined where something else than products reads the value */
  const usesOf = (name: string, transposed: boolean): Use[] | undefined => {
    if (outside.has(name)) return undefined;
    const uses: Use[] = [];
    for (const node of readers.get(name) ?? []) {
      const found = useOf(node, name, transposed);
      const further =
        typeof found === 'boolean'
          ? usesOf(node.output[0] ?? '', found)
          : found === undefined
            ? found
            : [found];
      if (further === undefined) return undefined;
      uses.push(...further);
    }
    return uses;
  };

  return graph.initializer.flatMap((tensor): LinearWeight[] => {
    const [rows, columns] = tensor.dims;
    if (tensor.dataType !== 1 || tensor.dims.length !== 2) return [];
    if (rows === undefined || columns === undefined || rows * columns === 0) return [];
    const uses = usesOf(tensor.name, false) ?? [];
    const [first] = uses;
    if (first === undefined || uses.some((use) => use.transposed !== first.transposed)) return [];
    if (!uses.some((use) => reached.has(use.node))) return [];
    const { transposed } = first;
    return [
      {
        name: tensor.name,
        inputs: transposed ? columns : rows,
        outputs: transposed ? rows : columns,
        transposed,
        products: uses.map((use) => use.node),
      },
    ];
  });
}

interface Use {
  readonly node: NodeProto;
  readonly transposed: boolean;
}

/** @returns the product; or, of a node that passes the matrix on, whether it is transposed then; or neither */
function useOf(node: NodeProto, name: string, transposed: boolean): Use | boolean | undefined {
  const isOnlyOperand = (index: number) =>
    node.input[index] === name && readsOf(node).filter((read) => read === name).length === 1;
  if (!isDefaultDomain(node.domain)) return undefined;
  switch (node.opType) {
    case 'MatMul':
      return isOnlyOperand(1) ? { node, transposed } : undefined;
    case 'Gemm':
      return isOnlyOperand(1)
        ? { node, transposed: transposed !== (intAttribute(node, 'transB', 0) === 1) }
        : undefined;
    case 'Identity':
      return transposed;
    case 'Transpose': {
      const [first = 1] = intsAttribute(node, 'perm') ?? [];
      return transposed !== (first === 1);
    }
    default:
      return undefined;
  }
}

function readersOf(nodes: readonly NodeProto[]): Map<string, NodeProto[]> {
  const readers = new Map<string, NodeProto[]>();
  for (const node of nodes) {
    for (const name of new Set(readsOf(node))) {
      const known = readers.get(name);
      if (known === undefined) readers.set(name, [node]);
      else known.push(node);
    }
  }
  return readers;
}
