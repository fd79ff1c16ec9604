/**
 * Forward graph in, training graph out: one ONNX file that takes parameters and a batch as the dataset stores it, and
 * gives the loss, how much it counted, what metrics are made of, and the gradients. It is an ordinary graph of standard operators:
 * whatever runs ONNX can run it.
 */
import { z } from 'zod';
import type { DatasetTensor } from '../contracts/dataset.ts';
import type { ParameterSlot } from '../contracts/job.ts';
import type { LossSpec } from '../contracts/loss.ts';
import { ValueRule } from '../datasets/value-rule.ts';
import { Fault } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { encodeModel, type Model } from '../onnx/model.ts';
import { ancestors, computeOutputsInPlace, prune, renameNode } from '../onnx/names.ts';
import { signatureOf } from '../onnx/signature.ts';
import { tensorValue } from '../onnx/tensor.ts';
import { upgradeModel } from '../onnx/upgrade.ts';
import { DTYPES, type DType } from '../tensors/dtypes.ts';
import { elementCount, type TensorSpec } from '../tensors/tensor.ts';
import { declareGradient, gradientName, namesIn } from './gradient-graph.ts';
import { behindActivation } from './losses/activation.ts';
import type { ColumnInput, LossColumns, LossValues, WrittenLoss } from './losses/loss.ts';
import { fits } from './losses/shapes.ts';
import { lossOf } from './losses/table.ts';
import { Ops } from './ops.ts';
import { blockageOf, blockedFault, sourcesOf, type Forward } from './paths.ts';
import { differentiate } from './reverse.ts';
import { runningStatistics, trainingMode } from './training-mode.ts';

/**
 * The names by which a training graph is driven; with the parameter slots they are all that is needed to run it. Each
 * has a prefix, for models have values called `loss` of their own.
 */
export const TRAINING_NAMES = {
  /** Output: the mean over the elements that count. */
  loss: 'loss:mean',
  /** Output: how many elements count, or the sum of their weights. */
  count: 'loss:count',
  /** Output: the sum over those elements whose mean makes a metric (core/metrics/means.ts). */
  metric: (name: string) => `metric:${name}`,
  /** Input: rows of a dataset tensor. */
  data: (tensor: string) => `data:${tensor}`,
  /** Input: a parameter's value. */
  parameter: (name: string) => `param:${name}`,
  /** Output: a parameter's gradient; of an assigned one its next value. */
  gradient: gradientName,
  /** Input: uniform random numbers, for the k-th Dropout. */
  noise: (k: number | '') => `noise:${k}`,
} as const;

/** `metadata_props` key: an array of `ValueRule` as JSON. */
const RULES_KEY = 'causeway.rules';

/** What the values of the dataset must be. @throws Fault `internal` for what is no training graph */
export function rulesOf({ metadataProps }: Model): ValueRule[] {
  const rules = metadataProps.find(({ key }) => key === RULES_KEY)?.value;
  if (rules === undefined)
    throw new Fault('internal', `the training graph does not say ${RULES_KEY}`, { field: 'trainingGraph' });
  return z.array(ValueRule).parse(JSON.parse(rules));
}

export interface DataInput {
  /** Dataset tensor this graph input reads. */
  readonly tensor: string;
  /** As the dataset stores it; cast to the input's own type in the graph. */
  readonly dtype: DType;
  /** Per row; checked against the graph's input where it is given. */
  readonly shape?: readonly number[];
  /** The stored value is divided by this. */
  readonly divisor?: number | undefined;
}

/** With the dataset tensors of `loss.target` and `loss.mask`. */
export interface TrainingRequest extends LossColumns {
  /** Graph input → where its rows come from. */
  readonly inputs: Readonly<Record<string, DataInput>>;
  readonly loss: LossSpec;
  /**
   * Names of the initializers to train, or what chooses them among the F32 ones that the loss depends on; default:
   * every one of these of rank 1 or more.
   */
  readonly parameters?: readonly string[] | ((candidates: readonly TensorSpec[]) => readonly string[]);
  /** Running statistics that stay as they are; default: none. */
  readonly isFrozen?: (name: string) => boolean;
}

export interface TrainingGraph {
  /** An ONNX file, the same bytes for the same request. */
  readonly graph: Uint8Array<ArrayBuffer>;
  /**
   * Where each parameter lies in the flat vector, without gaps: in the order of the model's initializers, what is
   * trained before what is assigned.
   */
  readonly parameters: ParameterSlot[];
  /** The initializers' values as the flat vector. */
  readonly initial: Float32Array<ArrayBuffer>;
}

/**
 * @param types of every value in the model
 * @throws Fault `unprocessable` or `invalid` naming what does not fit
 */
export function buildTrainingGraph(
  model: Model,
  types: ReadonlyMap<string, TensorSpec>,
  request: TrainingRequest,
): TrainingGraph {
  const upgraded = upgradeModel(model);
  const { outputs } = signatureOf(upgraded);
  const output = outputs.find((each) => each.name === request.loss.output);
  if (output === undefined)
    throw new Fault(
      'unprocessable',
      `the model has no output ${request.loss.output}: it has ${outputs.map((each) => each.name).join(', ')}`,
      { field: 'loss.output' },
    );
  const loss = lossOf(request.loss);
  const { logits: logitsName } = behindActivation(
    upgraded.graph.node,
    output.name,
    output.shape.length,
    loss.activations,
  );
  const logits = types.get(logitsName) ?? output;
  loss.check(request.loss, logits, request);
  const rules = loss.rules(request.loss, logits, request);
  const { initializer: initializers } = upgraded.graph;
  const nodes = ancestors(upgraded.graph.node, [logitsName]);
  const mode = trainingMode({ nodes, initializers, types }, TRAINING_NAMES.noise);
  const parameters = trainable(mode.forward, logitsName, request);
  const { isFrozen = () => false } = request;
  const assigned = mode.statistics.filter(({ name }) => !isFrozen(name));

  const { parameter } = TRAINING_NAMES;
  const statistics = assigned.map(({ name }) => mode.forward.types.get(name)!);
  const inputs = [...parameters, ...statistics];
  const renamed = new Map(inputs.map((spec) => [spec.name, parameter(spec.name)]));
  const forward: Forward = {
    nodes: mode.forward.nodes.map((node) => renameNode(node, renamed)),
    initializers: mode.forward.initializers.filter((tensor) => !renamed.has(tensor.name)),
    types: new Map([...mode.forward.types].map(([name, spec]) => [renamed.get(name) ?? name, spec])),
  };

  const graph = new GraphBuilder(namesIn(upgraded));
  const ops = new Ops(graph);
  for (const tensor of forward.initializers) graph.appendInitializer(tensor);
  const columns = writeInputs(ops, signatureOf(upgraded).inputs, request);
  for (const spec of inputs) graph.input({ ...spec, name: parameter(spec.name) });
  for (const spec of mode.noise) graph.input(spec);
  const gradients = differentiate({
    graph,
    forward,
    sources: parameters.map((spec) => parameter(spec.name)),
    seeds() {
      const written = loss.write(ops, request.loss, { output: logits, ...columns });
      declareLoss(ops, logits.dtype, written);
      return new Map([[logits.name, written.seed]]);
    },
  });
  for (const spec of parameters) declareGradient(graph, spec, gradients.get(parameter(spec.name))!);
  assigned.forEach(({ next }, i) => declareGradient(graph, statistics[i]!, next));
  graph.annotate(RULES_KEY, JSON.stringify(rules));
  const training = computeOutputsInPlace(prune(graph.build('training')));
  return { graph: encodeModel(training), ...layout(upgraded, parameters, statistics) };
}

/** The loss and its figures as F32 outputs. */
function declareLoss(ops: Ops, dtype: DType, { loss, count, sums }: WrittenLoss): void {
  const declare = (value: string, name: string) => {
    if (dtype === 'F32') ops.graph.op('Identity', [value], {}, name);
    else ops.graph.op('Cast', [value], { to: DTYPES.F32.onnx }, name);
    ops.graph.output({ name, dtype: 'F32', shape: [] });
  };
  declare(loss, TRAINING_NAMES.loss);
  declare(count, TRAINING_NAMES.count);
  for (const [metric, sum] of Object.entries(sums)) declare(sum, TRAINING_NAMES.metric(metric));
}

/** The parameters, in the order of the model's initializers. @throws Fault where one cannot be trained */
function trainable(forward: Forward, logits: string, { parameters }: TrainingRequest): TensorSpec[] {
  const statistics = runningStatistics(forward.nodes);
  const specs = forward.initializers
    .map((tensor) => forward.types.get(tensor.name))
    .filter((spec): spec is TensorSpec => spec?.dtype === 'F32' && !statistics.has(spec.name));
  const reaching = sourcesOf(
    forward,
    [logits],
    specs.map((spec) => spec.name),
  );
  const candidates = specs.filter((spec) => reaching.has(spec.name));
  // A scalar written into a graph is a constant of its formula (an epsilon, a temperature) unless asked for.
  const tensors = (all: readonly TensorSpec[]) => all.filter((spec) => spec.shape.length > 0);
  const asked = typeof parameters === 'function' ? parameters(candidates) : parameters;
  const wanted = asked ?? tensors(specs).map((spec) => spec.name);
  for (const name of wanted) {
    if (reaching.has(name)) continue;
    if (statistics.has(name))
      throw new Fault('invalid', `${name} is a running statistic of BatchNormalization: it is not trained`, {
        field: 'parameters',
      });
    if (!specs.some((spec) => spec.name === name))
      throw new Fault('invalid', `the model has no F32 initializer ${name}`, { field: 'parameters' });
    // A value that only decides or configures is a constant of the formula too, unless asked for.
    const blockage = blockageOf(forward, [logits], name);
    if (blockage !== undefined && !(blockage.isIncidental && asked === undefined)) {
      const advice = asked === undefined ? ': name the parameters to train to leave it as it is' : '';
      throw blockedFault(name, blockage, 'parameters', advice);
    }
    if (asked !== undefined)
      throw new Fault('invalid', `the loss does not depend on ${name}`, { field: 'parameters' });
  }
  const names = new Set(wanted);
  const found = candidates.filter((spec) => names.has(spec.name));
  if (found.length === 0)
    throw new Fault('unprocessable', 'the model has no F32 initializer that the loss depends on', {
      field: 'model',
    });
  return found;
}

/** Declares the data inputs, casts and scales them to the model's own inputs. @returns what the loss reads */
function writeInputs(
  ops: Ops,
  inputs: readonly TensorSpec[],
  { inputs: mapping, loss, target, mask }: TrainingRequest,
): Pick<LossValues, 'target' | 'mask' | 'data'> {
  const { graph } = ops;
  const declared = new Map<string, DType>();
  const declare = (spec: TensorSpec) => {
    if (!declared.has(spec.name)) graph.input(spec);
    else if (declared.get(spec.name) !== spec.dtype)
      throw new Fault('invalid', `${spec.name} is fed as two element types`, { field: 'inputs' });
    declared.set(spec.name, spec.dtype);
  };
  const stray = Object.keys(mapping).find((name) => !inputs.some((input) => input.name === name));
  if (stray !== undefined)
    throw new Fault('unprocessable', `the model has no input ${stray}`, { field: `inputs.${stray}` });

  for (const input of inputs) {
    const source = mapping[input.name];
    if (source === undefined)
      throw new Fault('unprocessable', `nothing feeds the model's input ${input.name}`, {
        field: `inputs.${input.name}`,
      });
    if (typeof input.shape[0] !== 'string')
      throw new Fault(
        'unprocessable',
        `input ${input.name} is [${input.shape.join(', ')}]: its first dimension must be symbolic, for batches of any size`,
        { field: `inputs.${input.name}` },
      );
    if (source.shape !== undefined && !fits(input.shape.slice(1), source.shape))
      throw new Fault(
        'unprocessable',
        `dataset tensor ${source.tensor} is [${source.shape.join(', ')}] per row: input ${input.name} asks for [${input.shape.slice(1).join(', ')}]`,
        { field: `inputs.${input.name}` },
      );
    const name = TRAINING_NAMES.data(source.tensor);
    declare({ name, dtype: source.dtype, shape: input.shape });
    const { divisor = 1 } = source;
    const isFloat = input.dtype === 'F32' || input.dtype === 'F64';
    if (divisor !== 1 && !isFloat)
      throw new Fault('unprocessable', `input ${input.name} is ${input.dtype}: its data cannot be divided`, {
        field: `inputs.${input.name}`,
      });
    const cast = source.dtype === input.dtype ? name : ops.cast(name, input.dtype);
    // A division, as clients do it, and not a product with the reciprocal: the same bits.
    if (divisor === 1) graph.op('Identity', [cast], {}, input.name);
    else graph.op('Div', [cast, ops.scalar(input.dtype, divisor)], {}, input.name);
  }

  const [first] = inputs;
  if (first === undefined)
    throw new Fault('unprocessable', 'the model has no input to feed rows to', { field: 'model' });
  if (loss.kind === 'output') return { data: first.name };
  const column = (tensor: string, described: DatasetTensor | undefined): ColumnInput => {
    if (described === undefined)
      throw new Fault('invalid', `nothing is said of the dataset tensor ${tensor}`, { field: 'loss' });
    const { dtype, shape, divisor } = described;
    const spec = { name: TRAINING_NAMES.data(tensor), dtype, shape: [first.shape[0] ?? 'batch', ...shape] };
    declare(spec);
    return { ...spec, divisor };
  };
  return {
    target: column(loss.target, target),
    mask: loss.mask === undefined ? undefined : column(loss.mask, mask),
    data: first.name,
  };
}

/** The flat vector: one parameter after the other. */
function layout(
  model: Model,
  trained: readonly TensorSpec[],
  assigned: readonly TensorSpec[],
): { parameters: ParameterSlot[]; initial: Float32Array<ArrayBuffer> } {
  const tensors = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const parameters: ParameterSlot[] = [];
  let offset = 0;
  const add = ({ name, shape }: TensorSpec, kind: Pick<ParameterSlot, 'assigned'>) => {
    const dimensions = shape.map(Number);
    const length = elementCount(dimensions);
    parameters.push({ name, shape: dimensions, offset, length, ...kind });
    offset += length;
  };
  for (const spec of trained) add(spec, {});
  for (const spec of assigned) add(spec, { assigned: true });
  const initial = new Float32Array(offset);
  for (const slot of parameters)
    initial.set(tensorValue(tensors.get(slot.name)!).data as Float32Array, slot.offset);
  return { parameters, initial };
}

/** The parameters' values by name, as views of the flat vector: what `withInitializers` takes. */
export function parameterValues(
  parameters: readonly ParameterSlot[],
  flat: Float32Array,
): Map<string, Float32Array> {
  return new Map(
    parameters.map(({ name, offset, length }) => [name, flat.subarray(offset, offset + length)]),
  );
}
