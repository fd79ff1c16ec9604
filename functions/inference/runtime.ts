/** The WASM runtime behind core's interface. One heap and one call stack: everything goes through a lock. */
import type { Breath } from '../../core/inference/breath.ts';
import { Fault } from '../../core/errors.ts';
import { cannotRun, fromOrt, interfaceOf, refusesInputs } from '../../core/inference/onnxruntime.ts';
import type { InferenceRuntime, ModelSession } from '../../core/inference/runtime.ts';
import { serialized } from '../../core/inference/serialized.ts';
import { DTYPES } from '../../core/tensors/dtypes.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';
import { createSession, ort, ortName } from './ort.ts';

export function wasmRuntime(breath: Breath): InferenceRuntime {
  return serialized({ name: ortName(), load }, breath);
}

async function load(model: Uint8Array<ArrayBuffer>): Promise<ModelSession> {
  let session: ort.InferenceSession;
  try {
    session = await createSession(model);
  } catch (cause) {
    throw cause instanceof Fault ? cause : cannotRun(cause);
  }
  return {
    ...(await interfaceOf(session)),
    run: (inputs, outputs) => run(session, inputs, outputs),
    release: () => session.release(),
  };
}

async function run(
  session: ort.InferenceSession,
  inputs: Readonly<Record<string, TensorValue>>,
  outputs: readonly string[],
): Promise<Record<string, TensorValue>> {
  let results: ort.InferenceSession.ReturnType;
  try {
    const feeds: Record<string, ort.Tensor> = {};
    for (const name in inputs) {
      const { dtype, data, shape } = inputs[name]!;
      feeds[name] = new ort.Tensor(DTYPES[dtype].ort, data, shape);
    }
    results = await session.run(feeds, outputs);
  } catch (cause) {
    throw refusesInputs(cause);
  }
  const values: Record<string, TensorValue> = {};
  for (const name of outputs) values[name] = fromOrt(name, results[name]!);
  return values;
}
