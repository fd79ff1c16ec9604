/**
 * What onnxruntime-web and onnxruntime-node say alike, in our words. Neither is imported: the types are as much of
 * theirs as is read.
 */
import { Fault, type FaultCode, messageOf } from '../errors.ts';
import { DTYPE_NAMES, dtypeOfOrt } from '../tensors/dtypes.ts';
import type { TensorSpec, TensorValue } from '../tensors/tensor.ts';
import type { ModelSession } from './runtime.ts';

export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

export type OrtMetadata =
  | { readonly name: string; readonly isTensor: false }
  | {
      readonly name: string;
      readonly isTensor: true;
      readonly type: string;
      /** '' for an unknown dimension without a name. */
      readonly shape: readonly (number | string)[];
    };

/** @returns undefined for what is no tensor of ours: sequences, strings, float16 */
export function specOf(metadata: OrtMetadata): TensorSpec | undefined {
  if (!metadata.isTensor) return undefined;
  const { name, type } = metadata;
  const dtype = dtypeOfOrt(type);
  if (dtype === undefined) return undefined;
  // An unknown dimension without a name is like no other.
  const shape = metadata.shape.map((dimension, axis) => (dimension === '' ? `${name}.${axis}` : dimension));
  return { name, dtype, shape };
}

export interface OrtSession {
  readonly inputMetadata: readonly OrtMetadata[];
  readonly outputMetadata: readonly OrtMetadata[];
  release(): Promise<void>;
}

/** @throws Fault `unprocessable` for what is no tensor of ours; the session is released then: nobody else has it */
export async function interfaceOf(session: OrtSession): Promise<Pick<ModelSession, 'inputs' | 'outputs'>> {
  try {
    return {
      inputs: session.inputMetadata.map(requiredSpecOf),
      outputs: session.outputMetadata.map(requiredSpecOf),
    };
  } catch (thrown) {
    await session.release();
    throw thrown;
  }
}

function requiredSpecOf(metadata: OrtMetadata): TensorSpec {
  const spec = specOf(metadata);
  if (spec === undefined) throw unsupported(metadata.name, metadata.isTensor ? metadata.type : 'no tensor');
  return spec;
}

/** Without copying. @throws Fault `unprocessable` for what is no tensor of ours */
export function fromOrt(name: string, { type, dims, data }: OrtTensor): TensorValue {
  const dtype = dtypeOfOrt(type);
  if (dtype === undefined) throw unsupported(name, type);
  return { dtype, shape: dims, data: data as TensorValue['data'] };
}

const unsupported = (name: string, type: string) =>
  new Fault('unprocessable', `${name} is ${type}: supported are ${DTYPE_NAMES.join(', ')}`, { field: name });

/** What is thrown where the runtime takes no session of a model. */
export const cannotRun = (cause: unknown, code: FaultCode = 'unprocessable') =>
  new Fault(code, `the model cannot be run: ${messageOf(cause)}`, { field: 'model', cause });

/** What is thrown where a session does not run. */
export const refusesInputs = (cause: unknown) =>
  new Fault('invalid', `the model refuses the inputs: ${messageOf(cause)}`, { field: 'inputs', cause });
