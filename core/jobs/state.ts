/**
 * Training state on disk: parameters and optimizer slots as one safetensors file, one tensor per parameter
 * (`<name>`) and per slot of it (`<slot>/<name>`), so that any safetensors reader can open a checkpoint.
 * In memory each is one flat vector; the layout is the plan's.
 */
import type { ParameterSlot } from '../contracts/job.ts';
import { Fault } from '../errors.ts';
import { decodeSafetensors, encodeSafetensors } from '../tensors/safetensors.ts';
import type { TensorValue } from '../tensors/tensor.ts';

export interface TrainingState {
  readonly parameters: Float32Array<ArrayBuffer>;
  /** Optimizer state, each as long as `parameters`: Adam's `m` and `v`. */
  readonly slots: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

export function stateLength(layout: readonly ParameterSlot[]): number {
  return layout.reduce((sum, { length }) => sum + length, 0);
}

/** The same state gives the same bytes: a checkpoint can be named by its hash. */
export function encodeState(
  state: TrainingState,
  layout: readonly ParameterSlot[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, TensorValue>();
  const add = (prefix: string, flat: Float32Array) => {
    for (const { name, shape, offset, length } of layout) {
      tensors.set(`${prefix}${name}`, { dtype: 'F32', shape, data: flat.subarray(offset, offset + length) });
    }
  };
  add('', state.parameters);
  for (const [slot, flat] of Object.entries(state.slots)) add(`${slot}/`, flat);
  return encodeSafetensors(tensors, metadata);
}

/**
 * @param slotNames the optimizer's slots, in its order
 * @throws Fault `invalid` where a tensor is missing or has another shape
 */
export function decodeState(
  bytes: Uint8Array<ArrayBuffer>,
  layout: readonly ParameterSlot[],
  slotNames: readonly string[],
): TrainingState {
  return stateOfTensors(decodeSafetensors(bytes).tensors, layout, slotNames);
}

/** @throws Fault `invalid` as {@link decodeState} */
export function stateOfTensors(
  tensors: ReadonlyMap<string, TensorValue>,
  layout: readonly ParameterSlot[],
  slotNames: readonly string[],
): TrainingState {
  const total = stateLength(layout);
  const read = (prefix: string): Float32Array<ArrayBuffer> => {
    const flat = new Float32Array(total);
    for (const { name, offset, length } of layout) {
      const tensor = tensors.get(`${prefix}${name}`);
      if (tensor === undefined || !(tensor.data instanceof Float32Array) || tensor.data.length !== length) {
        throw new Fault('invalid', `state: tensor ${prefix}${name} is missing or is not F32 [${length}]`);
      }
      flat.set(tensor.data, offset);
    }
    return flat;
  };
  return {
    parameters: read(''),
    slots: Object.fromEntries(slotNames.map((slot) => [slot, read(`${slot}/`)])),
  };
}
