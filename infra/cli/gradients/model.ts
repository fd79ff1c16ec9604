/** A model made ready for gradients: read from a file, with the shapes of its inputs fixed to those it will be fed. */
import { readFile } from 'node:fs/promises';
import { nativeRuntime } from '../../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../../cloud/adapters/onnxruntime-types.ts';
import { differentiability, gradientGraph, gradientName } from '../../../core/autodiff/gradient-graph.ts';
import { Fault } from '../../../core/errors.ts';
import { withInputShapes } from '../../../core/onnx/input-shapes.ts';
import { decodeModel, encodeModel, type Model } from '../../../core/onnx/model.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';
import type { TensorSpec, TensorValue } from '../../../core/tensors/tensor.ts';

export type Values = Readonly<Record<string, TensorValue>>;

/** @throws Fault `invalid` naming the option where the file cannot be read */
export async function readInputFile(path: string, option: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readFile(path);
  } catch (cause) {
    const message = `${option}: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`;
    throw new Fault('invalid', message, { field: option, cause });
  }
}

export async function readJson(path: string, option: string): Promise<unknown> {
  const bytes = await readInputFile(path, option);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new Fault('invalid', `${option}: ${path} is not JSON: ${String(cause)}`, { field: option, cause });
  }
}

export const readModel = async (path: string): Promise<Model> =>
  decodeModel(await readInputFile(path, 'model'));

export interface BoundModel {
  readonly model: Model;
  readonly types: ReadonlyMap<string, TensorSpec>;
}

/** The model with the shapes of these inputs. */
export async function bindModel(model: Model, inputs: Values): Promise<BoundModel> {
  const shapes = new Map(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const bound = withInputShapes(model, shapes);
  return { model: bound, types: await inferTypes(bound) };
}

export interface InitializerGradients {
  readonly loss: number;
  /** Initializer → gradient, in the model's order; zeros where the loss does not depend on it. */
  readonly gradients: ReadonlyMap<string, TensorValue>;
  /** Initializers whose zeros were not computed: the loss does not depend on them. */
  readonly idle: readonly string[];
  /** Initializers without a gradient → why. */
  readonly undifferentiable: ReadonlyMap<string, string>;
}

/** Gradients of a scalar output with respect to every floating-point initializer. */
export async function gradientsOf(
  { model, types }: BoundModel,
  loss: string,
  inputs: Values,
): Promise<InitializerGradients> {
  const { parameters, idle, undifferentiable } = differentiability(model, types, loss);
  const graph = gradientGraph(model, types, loss, parameters);
  const values = initializerValues(model);
  const session = await nativeRuntime().load(encodeModel(graph));
  try {
    const feeds = { ...inputs, ...pick(values, parameters) };
    const results = await session.run(feeds, [loss, ...parameters.map(gradientName)]);
    const gradients = new Map<string, TensorValue>();
    for (const [name, value] of values) {
      if (idle.includes(name)) gradients.set(name, { ...value, data: new Float32Array(value.data.length) });
      else if (!undifferentiable.has(name)) gradients.set(name, results[gradientName(name)]!);
    }
    return { loss: Number(results[loss]!.data[0]), gradients, idle, undifferentiable };
  } finally {
    await session.release();
  }
}

/** Every floating-point initializer's value, in the model's order. */
export function initializerValues(model: Model): Map<string, TensorValue> {
  const values = new Map<string, TensorValue>();
  for (const tensor of model.graph.initializer) {
    if (tensor.dataType !== 1 && tensor.dataType !== 11) continue;
    values.set(tensor.name, tensorValue(tensor));
  }
  return values;
}

const pick = (values: ReadonlyMap<string, TensorValue>, names: readonly string[]): Values =>
  Object.fromEntries(names.map((name) => [name, values.get(name)!]));
