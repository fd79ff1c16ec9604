/** Which values gradients flow through: those that depend on a source by differentiable operators all the way. */
import { Fault } from '../errors.ts';
import { nodeLabel } from '../onnx/check.ts';
import { ancestors, readsOf } from '../onnx/names.ts';
import type { NodeProto, TensorProto } from '../onnx/proto.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { isDecision, isSetting, isStep } from './rules/flat.ts';

export interface Forward {
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  /** Of every value the nodes read and write. */
  readonly types: ReadonlyMap<string, TensorSpec>;
}

const isFloating = (spec: TensorSpec | undefined) => spec?.dtype === 'F32' || spec?.dtype === 'F64';

/** What a node reads, without the inputs that only configure it. */
const dataOf = (node: NodeProto): readonly string[] => {
  const data = node.input.filter((_, i) => !isSetting(node, i));
  return readsOf({ ...node, input: data });
};

/** Values that depend differentiably on a source, the sources included: only along these can a gradient flow. */
export function dependents({ nodes, types }: Forward, sources: Iterable<string>): Set<string> {
  const reached = new Set(sources);
  for (const node of nodes) {
    if (isStep(node) || !dataOf(node).some((name) => reached.has(name))) continue;
    for (const name of node.output) if (isFloating(types.get(name))) reached.add(name);
  }
  return reached;
}

export interface Path {
  /** From last to first. */
  readonly nodes: readonly NodeProto[];
  /** Every differentiable value the seeds depend on, the seeds included. */
  readonly values: ReadonlySet<string>;
}

/** The part of the graph between the sources and the seeds. @param differentiable the sources' dependents */
export function pathBetween(
  { nodes }: Forward,
  seeds: Iterable<string>,
  differentiable: ReadonlySet<string>,
): Path {
  const values = new Set(seeds);
  const path: NodeProto[] = [];
  for (const node of nodes.toReversed()) {
    if (isStep(node) || !node.output.some((name) => values.has(name) && differentiable.has(name))) continue;
    const reads = dataOf(node).filter((name) => differentiable.has(name));
    if (reads.length === 0) continue;
    for (const name of reads) values.add(name);
    path.push(node);
  }
  return { nodes: path, values };
}

/** Those of the candidates that the seeds depend on differentiably. */
export function sourcesOf(
  forward: Forward,
  seeds: Iterable<string>,
  candidates: readonly string[],
): Set<string> {
  const { values } = pathBetween(forward, seeds, dependents(forward, candidates));
  return new Set(candidates.filter((name) => values.has(name)));
}

export interface Blockage {
  /** Lets the value through and no gradient. */
  readonly node: NodeProto;
  /** The value only decides or configures there, as constants of a formula do. */
  readonly isIncidental: boolean;
}

/**
 * Why the seeds do not depend differentiably on a source although its value reaches them.
 * @returns the first node in the way that is more than incidental, else the first; undefined where the value does not
 *   reach the seeds at all
 */
export function blockageOf(forward: Forward, seeds: readonly string[], source: string): Blockage | undefined {
  const differentiable = dependents(forward, [source]);
  const nodes = ancestors(forward.nodes, seeds);
  const needed = new Set([...nodes.flatMap(readsOf), ...seeds]);
  const blockages = nodes
    .filter(
      (node) =>
        readsOf(node).some((name) => differentiable.has(name)) &&
        node.output.some((name) => needed.has(name) && !differentiable.has(name)),
    )
    .map((node): Blockage => {
      const isData = dataOf(node).some((name) => differentiable.has(name));
      return { node, isIncidental: isDecision(node) || !isData };
    });
  return blockages.find((each) => !each.isIncidental) ?? blockages[0];
}

/** @param field of the request that asked for the source */
export const blockedFault = (source: string, { node }: Blockage, field: string, advice = ''): Fault =>
  new Fault(
    'unprocessable',
    `${source} cannot be trained: the loss depends on it only by a non-differentiable path, through ${nodeLabel(node)}${advice}`,
    { field },
  );
