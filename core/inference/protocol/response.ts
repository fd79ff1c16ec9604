/** Answers of the Open Inference Protocol v2 (REST). Written by hand: the same bytes at the edge and in the cloud. */
import { DTYPES } from '../../tensors/dtypes.ts';
import type { TensorSpec, TensorValue } from '../../tensors/tensor.ts';
import { writeElements } from './elements.ts';
import type { Signature } from './request.ts';

/** Kept equal to package.json's by a test. */
export const VERSION = '0.1.0';

export interface InferAnswer {
  readonly model: string;
  readonly release: number;
  readonly id: string | undefined;
  /** In the order they are to be written. */
  readonly outputs: readonly { readonly name: string; readonly value: TensorValue }[];
}

/** "Inference Response JSON Object". Data is flat, row-major. @throws Fault `unprocessable` for NaN and infinities */
export function encodeInferResponse({ model, release, id, outputs }: InferAnswer): string {
  const echoed = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const tensors = outputs.map(({ name, value: { dtype, shape, data } }, index) => {
    const elements = writeElements(dtype, data, `outputs[${index}].data`);
    const { oip } = DTYPES[dtype];
    return `{"name":${JSON.stringify(name)},"shape":[${shape.join(',')}],"datatype":"${oip}","data":[${elements}]}`;
  });
  return `{"model_name":"${model}","model_version":"${release}",${echoed}"outputs":[${tensors.join(',')}]}`;
}

/** "Server Metadata Response". @param runtime name and version of the ONNX runtime, an addition of ours */
export const serverMetadata = (runtime: string) => ({
  name: 'causeway',
  version: VERSION,
  extensions: [] as const,
  runtime,
});

/** "Model Metadata Response". Symbolic dimensions are -1, as the protocol has them. */
export const modelMetadata = (name: string, versions: readonly number[], { inputs, outputs }: Signature) => ({
  name,
  versions: versions.map(String),
  platform: 'onnxruntime_onnx',
  inputs: inputs.map(tensorMetadata),
  outputs: outputs.map(tensorMetadata),
});

const tensorMetadata = ({ name, dtype, shape }: TensorSpec) => ({
  name,
  datatype: DTYPES[dtype].oip,
  shape: shape.map((dimension) => (typeof dimension === 'number' ? dimension : -1)),
});
