/**
 * ONNX Runtime's WASM build inside workerd.
 *
 * workerd forbids compiling WebAssembly from bytes, and ONNX Runtime has no option for a module that is compiled
 * already. So the module is imported (the bundler's CompiledWasm rule compiles it at deployment), ONNX Runtime is
 * given a buffer it must not look into, and while it initializes, `WebAssembly.instantiate` instantiates the
 * imported module instead. An ONNX Runtime that initializes in another way fails here, with words.
 */
import * as ort from 'onnxruntime-web/wasm';
import ortModule from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { Fault, messageOf } from '../../core/errors.ts';

const OPTIONS: ort.InferenceSession.SessionOptions = {
  executionProviders: ['wasm'],
  graphOptimizationLevel: 'all',
  // Fatal only: everything else is thrown as well.
  logSeverityLevel: 4,
};

/** Set by the first session: ONNX Runtime initializes once per isolate. */
const state = { initialized: false };

/** Must not overlap with another call or a run. @throws whatever ONNX Runtime throws about the model */
export async function createSession(model: Uint8Array<ArrayBuffer>): Promise<ort.InferenceSession> {
  if (state.initialized) return ort.InferenceSession.create(model, OPTIONS);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = new ArrayBuffer(8);
  const original = WebAssembly.instantiate;
  const instantiate = async (_bytes: unknown, imports?: WebAssembly.Imports) => {
    const instance = await original.call(WebAssembly, ortModule, imports);
    state.initialized = true;
    return { module: ortModule, instance };
  };
  WebAssembly.instantiate = instantiate as unknown as typeof WebAssembly.instantiate;
  try {
    return await ort.InferenceSession.create(model, OPTIONS);
  } catch (cause) {
    throw state.initialized ? cause : unfit(cause);
  } finally {
    WebAssembly.instantiate = original;
  }
}

function unfit(cause: unknown): Fault {
  const version = ort.env.versions.web ?? ort.env.versions.common;
  return new Fault(
    'internal',
    `onnxruntime-web ${version} did not start from the precompiled module in functions/inference/ort.ts: ${messageOf(cause)}`,
    { cause },
  );
}

export const ortName = () => `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common}`;

export { ort };
