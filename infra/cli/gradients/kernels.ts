/** Which kernels onnxruntime-node has, found out by asking it: for core/onnx/to-float64.ts. */
import { createSession } from '../../../cloud/adapters/onnxruntime-session.ts';
import { specOf } from '../../../core/inference/onnxruntime.ts';
import { valueInfo } from '../../../core/onnx/builder.ts';
import { encodeModel } from '../../../core/onnx/model.ts';
import type { KernelOf } from '../../../core/onnx/to-float64.ts';
import type { DType } from '../../../core/tensors/dtypes.ts';

/** A graph of the node alone: the runtime creates a session for it or says that it has no kernel. */
export const nativeKernelOf: KernelOf = async (node, inputs, model) => {
  const outputs = node.output.filter((name) => name !== '');
  const graph = {
    ...model.graph,
    node: [node],
    initializer: [],
    input: inputs.map(valueInfo),
    output: outputs.map((name) => ({ name, docString: '' })),
    valueInfo: [],
  };
  const session = await createSession(encodeModel({ ...model, graph }), { optimize: false }).catch(
    () => undefined,
  );
  if (session === undefined) return undefined;
  const specs = session.outputMetadata.map((metadata) => specOf(metadata));
  await session.release();
  return new Map(
    specs.flatMap((spec): [string, DType][] => (spec === undefined ? [] : [[spec.name, spec.dtype]])),
  );
};
