/** A training graph made ready to run: gradients of one batch, natively. */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { rulesOf, TRAINING_NAMES } from '../../../core/autodiff/training-graph.ts';
import type { ParameterSlot } from '../../../core/contracts/job.ts';
import type { ValueRule } from '../../../core/datasets/value-rule.ts';
import { Fault, messageOf } from '../../../core/errors.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { elementCount, type TensorSpec, type TensorValue } from '../../../core/tensors/tensor.ts';
import { createSession, discard, toOrt } from '../../adapters/onnxruntime-session.ts';

export interface BatchResult {
  /** Mean over the elements that count, 0 where none does. */
  readonly loss: number;
  /** How many elements count, or the sum of their weights. */
  readonly count: number;
  /** Over those elements, by metric: the sums whose means make the metrics (core/metrics/means.ts). */
  readonly sums: Readonly<Record<string, number>>;
  /** Rows of the batch. */
  readonly samples: number;
  /** Flat, laid out as the parameters: the buffer given, or one of the program's that its next call overwrites. */
  readonly gradient: Float32Array<ArrayBuffer>;
}

export interface TrainingProgram {
  readonly parameters: readonly ParameterSlot[];
  /** Elements of the flat parameter vector. */
  readonly length: number;
  /** Dataset tensors a batch must have, rows first. */
  readonly inputs: readonly TensorSpec[];
  /** Elements of it that gradients change; those after them are assigned: their "gradient" is their next value. */
  readonly trained: number;
  /** What the graph wants random numbers for: elements per row. */
  readonly noise: readonly number[];
  /** What the values of the dataset must be. */
  readonly rules: readonly ValueRule[];
  /** Metrics the results have sums for. */
  readonly metrics: readonly string[];
  /**
   * @param parameters flat; only read
   * @param batch dataset tensor → rows, all with the same number of rows; only read
   * @param gradient where the gradient is written; default: a buffer of the program's
   * @param noise uniform in [0, 1), for each of `noise` as many as it has per row, times the rows
   * @throws Fault `unprocessable` where the batch does not fit the graph
   */
  gradients(
    parameters: Float32Array<ArrayBuffer>,
    batch: Readonly<Record<string, TensorValue>>,
    gradient?: Float32Array<ArrayBuffer>,
    noise?: readonly Float32Array<ArrayBuffer>[],
  ): Promise<BatchResult>;
  release(): Promise<void>;
}

export interface ProgramOptions {
  /** Threads inside one operator, default 1. */
  readonly threads?: number;
}

/**
 * @param graph what `buildTrainingGraph` made
 * @param parameters its parameters' places in the flat vector
 * @throws Fault where the graph is no training graph for these parameters
 */
export async function loadProgram(
  graph: Uint8Array<ArrayBuffer>,
  parameters: readonly ParameterSlot[],
  options: ProgramOptions = {},
): Promise<TrainingProgram> {
  const { data, parameter, gradient: gradientOf, loss, count, metric, noise } = TRAINING_NAMES;
  const model = decodeModel(graph);
  const signature = signatureOf(model);
  const inputs = signature.inputs
    .filter((input) => input.name.startsWith(data('')))
    .map((input) => ({ ...input, name: input.name.slice(data('').length) }));
  const metrics = signature.outputs
    .filter((output) => output.name.startsWith(metric('')))
    .map((output) => output.name.slice(metric('').length));
  const noises = signature.inputs.filter((input) => input.name.startsWith(noise('')));
  const scalars = [loss, count, ...metrics.map(metric)];
  const session = await createSession(graph, options, 'internal');
  checkParameters(session, parameters);

  const length = parameters.reduce((end, slot) => Math.max(end, slot.offset + slot.length), 0);
  const own = new Float32Array(length);
  /** Each parameter's part of a flat vector. Kept: a job has a few vectors, and making tensors of them takes its time. */
  const views = new WeakMap<Float32Array, readonly Tensor[]>();
  const viewsOf = (flat: Float32Array<ArrayBuffer>): readonly Tensor[] => {
    const known = views.get(flat);
    if (known !== undefined) return known;
    const made = parameters.map(
      ({ offset, length, shape }) => new Tensor('float32', flat.subarray(offset, offset + length), shape),
    );
    views.set(flat, made);
    return made;
  };
  const names = parameters.map(({ name }) => ({ parameter: parameter(name), gradient: gradientOf(name) }));
  const checkLength = (field: string, flat: Float32Array) => {
    if (flat.length !== length)
      throw new Fault('invalid', `${field} has ${flat.length} elements, the graph has ${length}`, { field });
  };

  return {
    parameters,
    length,
    inputs,
    trained: parameters.find(({ assigned }) => assigned)?.offset ?? length,
    noise: noises.map(({ shape }) => elementCount(shape.slice(1).map(Number))),
    rules: rulesOf(model),
    metrics,
    async gradients(flat, batch, gradient = own, numbers = []) {
      checkLength('parameters', flat);
      checkLength('gradient', gradient);
      const feeds: Record<string, Tensor> = {};
      // The runtime writes gradients straight into the flat buffer; only the scalars are allocated.
      const fetches: Record<string, Tensor | null> = {};
      for (const name of scalars) fetches[name] = null;
      const values = viewsOf(flat);
      const slopes = viewsOf(gradient);
      names.forEach((name, i) => {
        feeds[name.parameter] = values[i]!;
        fetches[name.gradient] = slopes[i]!;
      });
      let results: InferenceSession.ReturnType;
      try {
        for (const [name, rows] of Object.entries(batch)) feeds[data(name)] = toOrt(rows);
        const rows = batch[inputs[0]?.name ?? '']?.shape[0] ?? 0;
        noises.forEach(({ name, shape }, i) => {
          feeds[name] = new Tensor('float32', numbers[i]!, [rows, ...shape.slice(1).map(Number)]);
        });
        results = await session.run(feeds, fetches);
      } catch (cause) {
        throw new Fault('unprocessable', `the batch does not fit the training graph: ${messageOf(cause)}`, {
          field: 'batch',
          cause,
        });
      }
      names.forEach((name, i) => discard(results[name.gradient], slopes[i]!));
      const scalar = (name: string) => Number(results[name]!.data[0]);
      return {
        loss: scalar(loss),
        count: scalar(count),
        sums: Object.fromEntries(metrics.map((name) => [name, scalar(metric(name))])),
        samples: batch[inputs[0]?.name ?? '']?.shape[0] ?? 0,
        gradient,
      };
    },
    release: () => session.release(),
  };
}

function checkParameters(session: InferenceSession, parameters: readonly ParameterSlot[]): void {
  const { parameter } = TRAINING_NAMES;
  const wanted = session.inputNames.filter((name) => name.startsWith(parameter('')));
  const given = new Set(parameters.map((slot) => parameter(slot.name)));
  const missing = wanted.find((name) => !given.has(name));
  if (missing !== undefined || wanted.length !== given.size)
    throw new Fault(
      'internal',
      `the training graph has parameters ${wanted.join(', ')}: not those of the plan`,
      {
        field: 'parameters',
      },
    );
}
