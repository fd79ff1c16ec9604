/** Which dataset tensor each input of the graph reads. */
import { InvalidArgumentError } from 'commander';
import type { TensorSpec } from '../../../../core/tensors/tensor.ts';

export interface InputMapping {
  /** For a graph with one input: the tensor it reads. */
  readonly single?: string;
  /** Graph input → tensor. */
  readonly named: Readonly<Record<string, string>>;
}

export const DEFAULT_INPUT = 'image';
export const NO_INPUTS: InputMapping = { named: {} };

/** `tensor` or `input=tensor`, given again and again. */
export function inputMapping(text: string, before: InputMapping): InputMapping {
  const at = text.lastIndexOf('=');
  if (at === -1) return { ...before, single: text };
  const [input, tensor] = [text.slice(0, at), text.slice(at + 1)];
  if (input === '' || tensor === '') throw new InvalidArgumentError('It must be a tensor or input=tensor.');
  return { ...before, named: { ...before.named, [input]: tensor } };
}

/** Inputs that are not named read the tensor of their own name, a single one `single`. */
export function mappedInputs(
  { single, named }: InputMapping,
  inputs: readonly TensorSpec[],
): Record<string, string> {
  const [only] = inputs;
  if (only === undefined || inputs.length > 1 || Object.keys(named).length > 0) return { ...named };
  return { [only.name]: single ?? DEFAULT_INPUT };
}
