/**
 * Rewrites a model's default operator set to the one we write, so that gradient rules see one form of each operator.
 * Between 13 and 21 only the operators in these tables changed in a way that matters (onnx/docs/Changelog.md);
 * everything else gained element types, or inputs and attributes whose default is the old behaviour.
 */
import { Fault } from '../errors.ts';
import {
  attribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
  type AttributeValue,
} from './attributes.ts';
import { WRITTEN_IR, WRITTEN_OPSET } from './builder.ts';
import { isDefaultDomain, nodeLabel, opsetOf } from './check.ts';
import type { Model } from './model.ts';
import { namesOf, withSubgraphs } from './names.ts';
import type { AttributeProto, GraphProto, NodeProto, TensorProto } from './proto.ts';
import { tensorProto } from './tensor.ts';

/** Adds an int64 initializer to the node's graph. @returns its name */
type Constant = (stem: string, shape: readonly number[], values: readonly number[]) => string;

interface Upgrade {
  /** Nodes written for an operator set older than this need it. */
  readonly before: number;
  readonly rewrite: (node: NodeProto, constant: Constant) => NodeProto;
}

const without = (node: NodeProto, name: string): readonly AttributeProto[] =>
  node.attribute.filter((each) => each.name !== name);

const withAttribute = (node: NodeProto, name: string, value: AttributeValue): NodeProto => ({
  ...node,
  attribute: [...without(node, name), attribute(name, value)],
});

/** 18: the axes of reductions moved from an attribute to an input. */
const axesToInput: Upgrade = {
  before: 18,
  rewrite(node, constant) {
    const axes = intsAttribute(node, 'axes');
    if (axes === undefined) return node;
    const name = constant(`${node.output[0] ?? ''}.axes`, [axes.length], axes);
    return { ...node, input: [node.input[0] ?? '', name], attribute: without(node, 'axes') };
  },
};

/** 18: a Split into equal parts says how many. */
const splitCount: Upgrade = {
  before: 18,
  rewrite: (node) =>
    (node.input[1] ?? '') === '' ? withAttribute(node, 'num_outputs', node.output.length) : node,
};

/** 16: where pixels lie became a choice, whose default is not what it was before. */
const roiCoordinates: Upgrade = {
  before: 16,
  rewrite: (node) => withAttribute(node, 'coordinate_transformation_mode', 'output_half_pixel'),
};

/** 20: the modes lost the names they have in two dimensions. */
const gridModes: Upgrade = {
  before: 20,
  rewrite(node) {
    const mode = stringAttribute(node, 'mode', 'bilinear');
    const renamed = { bilinear: 'linear', bicubic: 'cubic' }[mode];
    return renamed === undefined ? node : withAttribute(node, 'mode', renamed);
  },
};

/** 20: the axis moved from an attribute to an input, and its default from 1 to −2. */
const transformAxis: Upgrade = {
  before: 20,
  rewrite(node, constant) {
    const axis = constant(`${node.output[0] ?? ''}.axis`, [], [intAttribute(node, 'axis', 1)]);
    const input = [node.input[0] ?? '', node.input[1] ?? '', axis];
    return { ...node, input, attribute: without(node, 'axis') };
  },
};

/** @param before the version that gave the operator another meaning */
const refuse = (before: number): Upgrade => ({
  before,
  rewrite(node) {
    throw new Fault(
      'unprocessable',
      `${nodeLabel(node)} changed its meaning in operator set ${before}: export the model with operator set ${before} or later`,
      { field: 'model' },
    );
  },
});

/** 14: what the number of outputs said, an attribute says: the statistics of the batch, or, its default, given ones. */
const inferenceOnly: Upgrade = {
  before: 14,
  rewrite: (node, constant) =>
    node.output.some((name, i) => i > 0 && name !== '') ? refuse(14).rewrite(node, constant) : node,
};

const UPGRADES: Readonly<Record<string, Upgrade>> = {
  ReduceL1: axesToInput,
  ReduceL2: axesToInput,
  ReduceLogSum: axesToInput,
  ReduceLogSumExp: axesToInput,
  ReduceMax: axesToInput,
  ReduceMean: axesToInput,
  ReduceMin: axesToInput,
  ReduceProd: axesToInput,
  ReduceSumSquare: axesToInput,
  Split: splitCount,
  BatchNormalization: inferenceOnly,
  DFT: transformAxis,
  GridSample: gridModes,
  // Scale and bias were one per group, and are one per channel.
  GroupNormalization: refuse(21),
  RoiAlign: roiCoordinates,
};

/** @throws Fault `unprocessable` for an operator that cannot be carried over */
export function upgradeModel(model: Model): Model {
  const version = opsetOf(model);
  return {
    ...model,
    irVersion: Math.max(model.irVersion ?? 0, WRITTEN_IR),
    opsetImport: [
      { domain: '', version: WRITTEN_OPSET },
      ...model.opsetImport.filter((set) => !isDefaultDomain(set.domain)),
    ],
    graph: version < WRITTEN_OPSET ? upgradeGraph(model.graph, version, namesOf(model.graph)) : model.graph,
  };
}

/** @param taken every name in the model, of subgraphs too; new ones are added */
function upgradeGraph(graph: GraphProto, version: number, taken: Set<string>): GraphProto {
  const initializer: TensorProto[] = [...graph.initializer];
  const constant: Constant = (stem, shape, values) => {
    let name = stem;
    for (let i = 1; taken.has(name); i++) name = `${stem}_${i}`;
    taken.add(name);
    initializer.push(tensorProto(name, { dtype: 'I64', shape, data: BigInt64Array.from(values, BigInt) }));
    return name;
  };
  const node = graph.node.map((each) => {
    const inner = withSubgraphs(each, (subgraph) => upgradeGraph(subgraph, version, taken));
    const upgrade = isDefaultDomain(inner.domain) ? UPGRADES[inner.opType] : undefined;
    return upgrade === undefined || version >= upgrade.before ? inner : upgrade.rewrite(inner, constant);
  });
  return { ...graph, node, initializer };
}
