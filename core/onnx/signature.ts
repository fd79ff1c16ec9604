import { Fault } from '../errors.ts';
import { DTYPES, dtypeOfOnnx } from '../tensors/dtypes.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import type { Model } from './model.ts';
import type { ValueInfo } from './proto.ts';

/** @throws Fault `unprocessable` where the declaration has no shape or an element type we do not support */
export function tensorSpec(value: ValueInfo, field: string): TensorSpec {
  const type = value.type?.tensorType;
  if (type?.shape === undefined)
    throw new Fault('unprocessable', `${value.name} is not declared as a tensor with a shape`, { field });
  const dtype = dtypeOfOnnx(type.elemType ?? 0);
  if (dtype === undefined)
    throw new Fault(
      'unprocessable',
      `${value.name} has ONNX element type ${type.elemType ?? 0}: supported are ${Object.keys(DTYPES).join(', ')}`,
      { field },
    );
  const shape = type.shape.dim.map(
    ({ dimValue, dimParam }, axis) => dimValue ?? (dimParam === '' ? `${value.name}.${axis}` : dimParam),
  );
  return { name: value.name, dtype, shape };
}

/** What a caller feeds and gets. Inputs that have an initializer are constants with an old-style declaration. */
export function signatureOf(model: Model): {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
} {
  const { graph } = model;
  const initialized = new Set(graph.initializer.map((tensor) => tensor.name));
  return {
    inputs: graph.input
      .filter((input) => !initialized.has(input.name))
      .map((input) => tensorSpec(input, `model.graph.input.${input.name}`)),
    outputs: graph.output.map((output) => tensorSpec(output, `model.graph.output.${output.name}`)),
  };
}
