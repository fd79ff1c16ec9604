import { Fault } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Model } from '../onnx/model.ts';
import { ancestors, prune } from '../onnx/names.ts';
import type { TensorProto } from '../onnx/proto.ts';
import { signatureOf } from '../onnx/signature.ts';
import { upgradeModel } from '../onnx/upgrade.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { Ops } from './ops.ts';
import { blockageOf, blockedFault, sourcesOf } from './paths.ts';
import { differentiate, type Differentiation } from './reverse.ts';

/** Output of the gradient graph for a parameter. */
export const gradientName = (parameter: string): string => `grad:${parameter}`;

/** Names a graph uses already, which nothing new may take. */
export function namesIn(model: Model): string[] {
  const { graph } = model;
  return [
    ...graph.input.map((input) => input.name),
    ...graph.initializer.map((tensor) => tensor.name),
    ...graph.node.flatMap((node) => node.output),
  ];
}

/** A named gradient as a graph output. */
export function declareGradient(graph: GraphBuilder, spec: TensorSpec, gradient: string): void {
  const name = gradientName(spec.name);
  graph.op('Identity', [gradient], {}, name);
  graph.output({ ...spec, name });
}

/**
 * The graph that computes a scalar output and its gradients with respect to some initializers.
 * @param types of every value in the model
 * @param output a scalar output of the model
 * @param parameters names of floating-point initializers; they become inputs of the graph
 * @returns a model with the model's inputs and one input per parameter; its outputs are `output` and
 *   `grad:<parameter>` for each
 * @throws Fault `invalid` for a wrong name, `unprocessable` where the model cannot be differentiated
 */
export function gradientGraph(
  model: Model,
  types: ReadonlyMap<string, TensorSpec>,
  output: string,
  parameters: readonly string[],
): Model {
  const upgraded = upgradeModel(model);
  const specs = parameters.map((name) => floatInitializer(upgraded, types, name));
  const isParameter = new Set(parameters);
  const initializers = upgraded.graph.initializer.filter((tensor) => !isParameter.has(tensor.name));
  const { graph, gradients } = differentiateOutput({ upgraded, types, output, parameters, initializers });
  for (const tensor of initializers) graph.appendInitializer(tensor);
  for (const spec of specs) {
    const gradient = gradients.get(spec.name);
    if (gradient === undefined) {
      const { name } = spec;
      const blockage = blockageOf({ nodes: upgraded.graph.node, initializers, types }, [output], name);
      if (blockage !== undefined) throw blockedFault(name, blockage, name);
      throw new Fault('invalid', `output ${output} does not depend on ${name}`, { field: name });
    }
    graph.input(spec);
    declareGradient(graph, spec, gradient);
  }
  return prune(graph.build('gradients'));
}

export interface Differentiability {
  /** Initializers that have a gradient, in the model's order. */
  readonly parameters: readonly string[];
  /** Initializers that do not influence the output: their gradient is zero. */
  readonly idle: readonly string[];
  /** Initializers that an operator reads without being differentiable in them (what a Pad pads with) → the reason. */
  readonly undifferentiable: ReadonlyMap<string, string>;
}

/**
 * Which of a model's floating-point initializers a scalar output has a gradient with respect to.
 * @param types of every value in the model
 * @throws as `gradientGraph`
 */
export function differentiability(
  model: Model,
  types: ReadonlyMap<string, TensorSpec>,
  output: string,
): Differentiability {
  const upgraded = upgradeModel(model);
  const { node: nodes, initializer: initializers } = upgraded.graph;
  const candidates = initializers.map((tensor) => tensor.name).filter((name) => isFloating(types.get(name)));
  const reached = sourcesOf({ nodes, initializers, types }, [output], candidates);
  const idle = candidates.filter((name) => !reached.has(name));
  const isConstant = (name: string) => types.get(name)?.shape.length === 0;
  const among = (parameters: readonly string[], refused: ReadonlyMap<string, string>): Differentiability => {
    const undifferentiable = new Map(refused);
    const { gradients } = differentiateOutput({
      upgraded,
      types,
      output,
      parameters,
      initializers: initializers.filter((tensor) => !parameters.includes(tensor.name)),
      onUndifferentiable: (name, why) => undifferentiable.set(name, why.message),
    });
    return { parameters: parameters.filter((name) => gradients.has(name)), idle, undifferentiable };
  };
  try {
    return among([...reached], new Map());
  } catch (thrown) {
    // A scalar is mostly a constant of a formula: one that cannot be differentiated must not keep the rest from it.
    const constants = [...reached].filter(isConstant);
    if (!(thrown instanceof Fault) || constants.length === 0) throw thrown;
    const others = [...reached].filter((name) => !isConstant(name));
    return among(others, new Map(constants.map((name) => [name, thrown.message])));
  }
}

interface Request extends Pick<Differentiation, 'onUndifferentiable'> {
  readonly upgraded: Model;
  readonly types: ReadonlyMap<string, TensorSpec>;
  readonly output: string;
  readonly parameters: readonly string[];
  /** Values that rules may rely on. */
  readonly initializers: readonly TensorProto[];
}

/** The model's inputs, the nodes behind the output and their gradients; no initializers yet. */
function differentiateOutput({ upgraded, types, output, parameters, initializers, ...rest }: Request) {
  const loss = types.get(output);
  const outputs = upgraded.graph.output.map((each) => each.name);
  if (loss === undefined || !outputs.includes(output))
    throw new Fault('invalid', `the model has no output ${output}: it has ${outputs.join(', ')}`, {
      field: 'output',
    });
  if (loss.shape.length > 0 || !isFloating(loss))
    throw new Fault(
      'invalid',
      `output ${output} is ${loss.dtype} [${loss.shape.join(', ')}]: it must be a floating-point scalar`,
      { field: 'output' },
    );
  const graph = new GraphBuilder([...namesIn(upgraded), ...parameters.map(gradientName)]);
  for (const input of signatureOf(upgraded).inputs) graph.input(input);
  const seed = new Ops(graph).scalar(loss.dtype, 1);
  const gradients = differentiate({
    ...rest,
    graph,
    forward: { nodes: ancestors(upgraded.graph.node, [output]), initializers, types },
    sources: parameters,
    seeds: () => new Map([[output, seed]]),
  });
  graph.output(loss);
  return { graph, gradients };
}

const isFloating = (spec: TensorSpec | undefined): boolean => spec?.dtype === 'F32' || spec?.dtype === 'F64';

function floatInitializer(model: Model, types: ReadonlyMap<string, TensorSpec>, name: string): TensorSpec {
  const spec = types.get(name);
  const isInitializer = model.graph.initializer.some((tensor) => tensor.name === name);
  if (spec === undefined || !isInitializer || !isFloating(spec))
    throw new Fault('invalid', `the model has no floating-point initializer ${name}`, { field: name });
  return spec;
}
