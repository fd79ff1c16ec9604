/** The WASM runtime behind core's interface. One heap and one call stack: everything goes through a lock. */
import type { Breath } from '../../core/inference/breath.ts';
import { Fault } from '../../core/errors.ts';
import type { InferenceRuntime, ModelSession } from '../../core/inference/runtime.ts';
import { serialized } from '../../core/inference/serialized.ts';
import { DTYPES, dtypeOfOrt } from '../../core/tensors/dtypes.ts';
import type { TensorSpec, TensorValue } from '../../core/tensors/tensor.ts';
import { createSession, ort, ortName } from './ort.ts';

export function wasmRuntime(breath: Breath): InferenceRuntime {
  return serialized({ name: ortName(), load }, breath);
}

async function load(model: Uint8Array<ArrayBuffer>): Promise<ModelSession> {
  let session: ort.InferenceSession;
  try {
    session = await createSession(model);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('unprocessable', `the model cannot be run: ${messageOf(cause)}`, { cause });
  }
  return {
    inputs: session.inputMetadata.map(specOf),
    outputs: session.outputMetadata.map(specOf),
    run: (inputs, outputs) => run(session, inputs, outputs),
    release: () => session.release(),
  };
}

async function run(
  session: ort.InferenceSession,
  inputs: Readonly<Record<string, TensorValue>>,
  outputs: readonly string[],
): Promise<Record<string, TensorValue>> {
  const feeds: Record<string, ort.Tensor> = {};
  for (const name in inputs) {
    const { dtype, data, shape } = inputs[name]!;
    feeds[name] = new ort.Tensor(DTYPES[dtype].ort, data, shape);
  }
  let results: ort.InferenceSession.ReturnType;
  try {
    results = await session.run(feeds, outputs);
  } catch (cause) {
    throw new Fault('invalid', `the model refuses the inputs: ${messageOf(cause)}`, {
      field: 'inputs',
      cause,
    });
  }
  const values: Record<string, TensorValue> = {};
  for (const name of outputs) values[name] = valueOf(name, results[name]!);
  return values;
}

/** @throws Fault `unprocessable` for what is no tensor of ours: strings, float16 */
function valueOf(name: string, tensor: ort.Tensor): TensorValue {
  const dtype = dtypeOfOrt(tensor.type);
  if (dtype === undefined) throw unsupported(name, tensor.type);
  return { dtype, shape: tensor.dims, data: tensor.data as TensorValue['data'] };
}

function specOf(metadata: ort.InferenceSession.ValueMetadata): TensorSpec {
  const { name } = metadata;
  if (!metadata.isTensor) throw unsupported(name, 'no tensor');
  const dtype = dtypeOfOrt(metadata.type);
  if (dtype === undefined) throw unsupported(name, metadata.type);
  const shape = metadata.shape.map((dimension, axis) => (dimension === '' ? `${name}.${axis}` : dimension));
  return { name, dtype, shape };
}

const unsupported = (name: string, type: string) =>
  new Fault('unprocessable', `${name} is ${type}: supported are ${Object.keys(DTYPES).join(', ')}`, {
    field: name,
  });

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
