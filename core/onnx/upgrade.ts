/**
 * Rewrites a model's default operator set to the one we write, so that gradient rules see one form of each operator.
 * Between 13 and 21 only the operators in these tables changed in a way that matters (onnx/docs/Changelog.md);
 * everything else gained element types or attributes whose default is the old behaviour.
 */
import { Fault } from '../errors.ts';
import { attribute, intsAttribute } from './attributes.ts';
import { WRITTEN_IR, WRITTEN_OPSET } from './builder.ts';
import { isDefaultDomain, nodeLabel, opsetOf } from './check.ts';
import type { Model } from './model.ts';
import type { NodeProto, TensorProto } from './proto.ts';
import { tensorProto } from './tensor.ts';

interface Upgrade {
  /** Nodes written for an operator set older than this need it. */
  readonly before: number;
  /** @returns the node in its new form, with the initializers it now needs */
  readonly rewrite: (node: NodeProto) => { node: NodeProto; initializers: readonly TensorProto[] };
}

const same = (node: NodeProto) => ({ node, initializers: [] });

/** 18: the axes of reductions moved from an attribute to an input. */
const axesToInput: Upgrade = {
  before: 18,
  rewrite(node) {
    const axes = intsAttribute(node, 'axes');
    if (axes === undefined) return same(node);
    const name = `${node.output[0] ?? ''}.axes`;
    const data = BigInt64Array.from(axes, BigInt);
    return {
      node: {
        ...node,
        input: [node.input[0] ?? '', name],
        attribute: node.attribute.filter((each) => each.name !== 'axes'),
      },
      initializers: [tensorProto(name, { dtype: 'I64', shape: [axes.length], data })],
    };
  },
};

/** 18: a Split into equal parts says how many. */
const splitCount: Upgrade = {
  before: 18,
  rewrite(node) {
    if ((node.input[1] ?? '') !== '') return same(node);
    return same({ ...node, attribute: [...node.attribute, attribute('num_outputs', node.output.length)] });
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
  rewrite: (node) =>
    node.output.some((name, i) => i > 0 && name !== '') ? refuse(14).rewrite(node) : same(node),
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
  DFT: refuse(20),
  GridSample: refuse(20),
  GroupNormalization: refuse(21),
};

/** @throws Fault `unprocessable` for an operator that cannot be carried over */
export function upgradeModel(model: Model): Model {
  const version = opsetOf(model);
  const initializer: TensorProto[] = [...model.graph.initializer];
  const node = model.graph.node.map((each) => {
    const upgrade = isDefaultDomain(each.domain) ? UPGRADES[each.opType] : undefined;
    if (upgrade === undefined || version >= upgrade.before) return each;
    const rewritten = upgrade.rewrite(each);
    initializer.push(...rewritten.initializers);
    return rewritten.node;
  });
  return {
    ...model,
    irVersion: Math.max(model.irVersion ?? 0, WRITTEN_IR),
    opsetImport: [
      { domain: '', version: WRITTEN_OPSET },
      ...model.opsetImport.filter((set) => !isDefaultDomain(set.domain)),
    ],
    graph: { ...model.graph, node, initializer },
  };
}
