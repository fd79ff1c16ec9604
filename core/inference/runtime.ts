/**
 * What serving needs of an ONNX runtime. Two implementations: onnxruntime-web (WASM) at the edge and
 * onnxruntime-node (native) in the cloud; everything above this line is shared between them.
 */
import type { TensorSpec, TensorValue } from '../tensors/tensor.ts';

export interface ModelSession {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /**
   * @param outputs names to compute, a subset of {@link ModelSession.outputs}
   * @throws Fault `invalid` where the runtime refuses the inputs
   */
  run(
    inputs: Readonly<Record<string, TensorValue>>,
    outputs: readonly string[],
  ): Promise<Record<string, TensorValue>>;
  /**
   * What to wait for before a run would begin, undefined where it would begin at once. Absent where runs need not wait.
   */
  busy?(): Promise<void> | undefined;
  /** Frees the runtime's memory. The session must not be used afterwards. */
  release(): Promise<void>;
}

export interface InferenceRuntime {
  /** For `GET /v2`: name and version of the runtime. */
  readonly name: string;
  /** @throws Fault `unprocessable` where the bytes are no model this runtime can run. */
  load(model: Uint8Array<ArrayBuffer>): Promise<ModelSession>;
}
