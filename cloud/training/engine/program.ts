/** A training graph made ready to run: gradients of one batch, natively. */
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { CLASSES_KEY, TARGET_KEY, TRAINING_NAMES } from '../../../core/autodiff/training-graph.ts';
import type { ParameterSlot } from '../../../core/contracts/job.ts';
import { Fault } from '../../../core/errors.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import type { TensorSpec, TensorValue } from '../../../core/tensors/tensor.ts';
import { createSession, messageOf, toOrt } from '../../adapters/onnxruntime-session.ts';

export interface BatchResult {
  /** Mean over the batch. */
  readonly loss: number;
  readonly samples: number;
  /** Predictions that hit their class. */
  readonly correct: number;
  /** Flat, laid out as the parameters: the buffer given, or one of the program's that its next call overwrites. */
  readonly gradient: Float32Array<ArrayBuffer>;
}

export interface TrainingProgram {
  readonly parameters: readonly ParameterSlot[];
  /** Elements of the flat parameter vector. */
  readonly length: number;
  /** Dataset tensors a batch must have, rows first. */
  readonly inputs: readonly TensorSpec[];
  /** The dataset tensor with the class ids, and how many classes there are: ids run from 0 to below it. */
  readonly target: { readonly tensor: string; readonly classes: number };
  /**
   * @param parameters flat; only read
   * @param batch dataset tensor → rows, all with the same number of rows; only read
   * @param gradient where the gradient is written; default: a buffer of the program's
   * @throws Fault `unprocessable` where the batch does not fit the graph
   */
  gradients(
    parameters: Float32Array<ArrayBuffer>,
    batch: Readonly<Record<string, TensorValue>>,
    gradient?: Float32Array<ArrayBuffer>,
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
  const { data, parameter, gradient: gradientOf, loss, correct } = TRAINING_NAMES;
  const model = decodeModel(graph);
  const inputs = signatureOf(model).inputs.filter((input) => input.name.startsWith(data('')));
  const annotation = (key: string): string => {
    const value = model.metadataProps.find((entry) => entry.key === key)?.value;
    if (value === undefined)
      throw new Fault('internal', `the training graph does not say ${key}`, { field: 'trainingGraph' });
    return value;
  };
  const target = { tensor: annotation(TARGET_KEY), classes: Number(annotation(CLASSES_KEY)) };
  const session = await createSession(graph, options, 'internal');
  checkParameters(session, parameters);

  const length = parameters.reduce((end, slot) => Math.max(end, slot.offset + slot.length), 0);
  const own = new Float32Array(length);
  const view = (flat: Float32Array<ArrayBuffer>, { offset, length, shape }: ParameterSlot) =>
    new Tensor('float32', flat.subarray(offset, offset + length), shape);
  const checkLength = (field: string, flat: Float32Array) => {
    if (flat.length !== length)
      throw new Fault('invalid', `${field} has ${flat.length} elements, the graph has ${length}`, { field });
  };

  return {
    parameters,
    length,
    inputs: inputs.map((input) => ({ ...input, name: input.name.slice(data('').length) })),
    target,
    async gradients(flat, batch, gradient = own) {
      checkLength('parameters', flat);
      checkLength('gradient', gradient);
      const feeds: Record<string, Tensor> = {};
      // The runtime writes gradients straight into the flat buffer; only the two scalars are allocated.
      const fetches: Record<string, Tensor | null> = { [loss]: null, [correct]: null };
      for (const slot of parameters) {
        feeds[parameter(slot.name)] = view(flat, slot);
        fetches[gradientOf(slot.name)] = view(gradient, slot);
      }
      let results: InferenceSession.ReturnType;
      try {
        for (const [name, rows] of Object.entries(batch)) feeds[data(name)] = toOrt(rows);
        results = await session.run(feeds, fetches);
      } catch (cause) {
        throw new Fault('unprocessable', `the batch does not fit the training graph: ${messageOf(cause)}`, {
          field: 'batch',
          cause,
        });
      }
      return {
        loss: Number(results[loss]!.data[0]),
        samples: batch[target.tensor]?.shape[0] ?? 0,
        correct: Number(results[correct]!.data[0]),
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
