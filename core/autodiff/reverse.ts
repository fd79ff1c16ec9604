/**
 * Reverse-mode differentiation of an ONNX graph (Griewank & Walther 2008, "Evaluating Derivatives", ch. 3): one walk
 * over the nodes from last to first, which asks each operator's rule for the gradients of its inputs and adds up
 * those that meet in one value.
 */
import { Fault } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { isDefaultDomain, nodeLabel } from '../onnx/check.ts';
import { constantsOf } from '../onnx/fold.ts';
import type { NodeProto } from '../onnx/proto.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { fuse } from './fuse.ts';
import { Ops } from './ops.ts';
import { dependents, pathBetween, type Forward, type Path } from './paths.ts';
import type { Rule, RuleContext } from './rule.ts';
import { adviceFor, isSetting } from './rules/flat.ts';
import { MULTIPLE_OUTPUT_RULES, SINGLE_OUTPUT_RULES, SUPPORTED_OPERATORS } from './rules/table.ts';

const ruleOf = (node: NodeProto): Rule | undefined =>
  isDefaultDomain(node.domain)
    ? (SINGLE_OUTPUT_RULES[node.opType] ?? MULTIPLE_OUTPUT_RULES[node.opType])
    : undefined;

const typeOf = ({ types }: Forward, name: string): TensorSpec => {
  const spec = types.get(name);
  if (spec === undefined)
    throw new Fault('unprocessable', `the shape of ${name} is not known before training`, { field: 'model' });
  return spec;
};

/** @throws Fault `unprocessable` naming the first node without a rule */
function checkRules(path: Path): void {
  const missing = path.nodes.findLast((node) => ruleOf(node) === undefined);
  if (missing === undefined) return;
  const domain = isDefaultDomain(missing.domain) ? '' : `${missing.domain}.`;
  const advice = adviceFor(missing);
  throw new Fault(
    'unprocessable',
    `${domain}${nodeLabel(missing)} cannot be trained through: ${advice === undefined ? '' : `${advice}; `}gradients are known for ${SUPPORTED_OPERATORS.join(', ')}`,
    { field: `model.graph.node.${missing.opType}` },
  );
}

export interface Differentiation {
  /** Where the nodes are written. It has the forward graph's inputs and initializers already. */
  readonly graph: GraphBuilder;
  readonly forward: Forward;
  /** Values to differentiate with respect to. */
  readonly sources: readonly string[];
  /** Called when the forward nodes are written: value → its gradient. May write nodes of its own. */
  readonly seeds: () => ReadonlyMap<string, string>;
  /**
   * Called with a source that an operator reads and is not differentiable in (what a Pad pads with): it then has no
   * gradient. Left out, such a source is a fault.
   */
  readonly onUndifferentiable?: (source: string, why: Fault) => void;
}

/**
 * Writes the forward nodes and the gradient nodes into the graph.
 * @returns source → its gradient; missing are sources the seeds do not depend on, or not differentiably
 * @throws Fault `unprocessable` naming the operator and node that stand in the way
 */
export function differentiate(request: Differentiation): Map<string, string> {
  const { graph, forward: given, sources, seeds, onUndifferentiable } = request;
  const ops = new Ops(graph);
  const constant = constantsOf(given);
  const forward = { ...given, nodes: fuse(given, constant) };
  const producers = new Map(
    forward.nodes.flatMap((node) => node.output.map((name) => [name, node] as const)),
  );
  // Rules may ask a forward node for outputs it left out: these arrays are ours to extend.
  const outputs = new Map<NodeProto, string[]>(forward.nodes.map((node) => [node, [...node.output]]));
  for (const node of forward.nodes) graph.append({ ...node, output: outputs.get(node)! });
  const seeded = seeds();
  const differentiable = dependents(forward, sources);
  const path = pathBetween(forward, seeded.keys(), differentiable);
  checkRules(path);

  const contributions = new Map<string, string[]>();
  const contribute = (name: string, gradient: string) => {
    const known = contributions.get(name);
    if (known === undefined) contributions.set(name, [gradient]);
    else known.push(gradient);
  };
  const gradientOf = (name: string): string | undefined => {
    const parts = contributions.get(name);
    if (parts === undefined) return undefined;
    const total = parts.length === 1 ? parts[0]! : ops.op(parts.length === 2 ? 'Add' : 'Sum', parts);
    contributions.set(name, [total]);
    return total;
  };
  for (const [name, gradient] of seeded) if (differentiable.has(name)) contribute(name, gradient);
  const undifferentiable = new Set<string>();

  for (const node of path.nodes) {
    const gradients = node.output.map(gradientOf);
    if (gradients.every((gradient) => gradient === undefined)) continue;
    const context = contextOf(node, gradients);
    const rules = ruleOf(node)?.(context) ?? [];
    node.input.forEach((name, i) => {
      if (!differentiable.has(name) || isSetting(node, i)) return;
      const rule = rules[i];
      if (rule !== undefined) return contribute(name, rule());
      const fault = context.unsupported(`it is not differentiable in its input ${name}`);
      if (onUndifferentiable === undefined || !sources.includes(name)) throw fault;
      undifferentiable.add(name);
      onUndifferentiable(name, fault);
    });
  }
  const result = new Map<string, string>();
  for (const source of sources) {
    const gradient = undifferentiable.has(source) ? undefined : gradientOf(source);
    if (gradient !== undefined) result.set(source, gradient);
  }
  return result;

  function contextOf(node: NodeProto, gradients: readonly (string | undefined)[]): RuleContext {
    const unsupported = (why: string) =>
      new Fault('unprocessable', `${nodeLabel(node)} cannot be trained through: ${why}`, {
        field: `model.graph.node.${node.opType}`,
      });
    const [first, ...others] = gradients;
    const isMultiple = node.opType in MULTIPLE_OUTPUT_RULES;
    if (!isMultiple && (first === undefined || others.some((gradient) => gradient !== undefined)))
      throw unsupported('an output other than its first influences the loss');
    return {
      node,
      inputs: node.input,
      outputs: node.output,
      ops,
      dtype: typeOf(forward, node.output[0] ?? '').dtype,
      d: first ?? '',
      gradients,
      shape: (name) => typeOf(forward, name).shape,
      dtypeOf: (name) => typeOf(forward, name).dtype,
      producer: (name) => producers.get(name),
      constant,
      integers(input) {
        const name = node.input[input] ?? '';
        if (name === '') return undefined;
        const value = constant(name);
        if (value === undefined) throw unsupported(`its input ${name} is computed, and must be a constant`);
        return Array.from(value.data, Number);
      },
      expose(output) {
        const names = outputs.get(node)!;
        while (names.length <= output) names.push('');
        if (names[output] === '') names[output] = graph.fresh(`${node.opType}_output${output}`);
        return names[output]!;
      },
      unsupported,
    };
  }
}
