import { Fault } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Model } from '../onnx/model.ts';
import { ancestors, prune } from '../onnx/names.ts';
import { signatureOf } from '../onnx/signature.ts';
import { upgradeModel } from '../onnx/upgrade.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { Ops } from './ops.ts';
import { blockageOf, blockedFault } from './paths.ts';
import { differentiate } from './reverse.ts';

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
  const isParameter = new Set(parameters);
  const graph = new GraphBuilder([...namesIn(upgraded), ...parameters.map(gradientName)]);
  for (const input of signatureOf(upgraded).inputs) graph.input(input);
  for (const name of parameters) graph.input(floatInitializer(upgraded, types, name));
  const initializers = upgraded.graph.initializer.filter((tensor) => !isParameter.has(tensor.name));
  for (const tensor of initializers) graph.appendInitializer(tensor);

  const loss = types.get(output);
  if (loss === undefined || !upgraded.graph.output.some((each) => each.name === output))
    throw new Fault('invalid', `the model has no output ${output}`, { field: 'output' });
  if (loss.shape.length > 0)
    throw new Fault('invalid', `output ${output} has shape [${loss.shape.join(', ')}]: it must be a scalar`, {
      field: 'output',
    });
  const nodes = ancestors(upgraded.graph.node, [output]);
  const seed = new Ops(graph).scalar(loss.dtype, 1);
  const gradients = differentiate({
    graph,
    forward: { nodes, initializers, types },
    sources: parameters,
    seeds: () => new Map([[output, seed]]),
  });
  graph.output(loss);
  for (const name of parameters) {
    const gradient = gradients.get(name);
    if (gradient === undefined) {
      const blockage = blockageOf({ nodes, initializers, types }, [output], name);
      if (blockage !== undefined) throw blockedFault(name, blockage, name);
      throw new Fault('invalid', `output ${output} does not depend on ${name}`, { field: name });
    }
    declareGradient(graph, floatInitializer(upgraded, types, name), gradient);
  }
  return prune(graph.build('gradients'));
}

function floatInitializer(model: Model, types: ReadonlyMap<string, TensorSpec>, name: string): TensorSpec {
  const spec = types.get(name);
  const isInitializer = model.graph.initializer.some((tensor) => tensor.name === name);
  if (spec === undefined || !isInitializer || (spec.dtype !== 'F32' && spec.dtype !== 'F64'))
    throw new Fault('invalid', `the model has no floating-point initializer ${name}`, { field: name });
  return spec;
}
