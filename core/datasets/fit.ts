/** Does a dataset have what a model reads? */
import type { DatasetTensor } from '../contracts/dataset.ts';
import { Fault } from '../errors.ts';
import type { TensorSpec } from '../tensors/tensor.ts';

const names = (things: Iterable<string>) => [...things].join(', ');

/**
 * @param mapping model input → dataset tensor; an input that is not in it reads the tensor of its own name
 * @throws Fault `unprocessable`, field `inputs.<name>`, where they do not belong together
 */
export function checkInputs(
  inputs: readonly TensorSpec[],
  tensors: Readonly<Record<string, DatasetTensor>>,
  mapping: Readonly<Record<string, string>>,
): void {
  const refuse = (name: string, message: string): never => {
    const field = `inputs.${name}`;
    throw new Fault('unprocessable', `${field}: ${message}`, { field });
  };
  for (const name of Object.keys(mapping))
    if (!inputs.some((input) => input.name === name))
      refuse(name, `the model has no such input; it has ${names(inputs.map((input) => input.name))}`);
  for (const { name, shape } of inputs) {
    const column = mapping[name] ?? name;
    const tensor =
      tensors[column] ??
      refuse(name, `the dataset has no tensor ${column}; it has ${names(Object.keys(tensors))}`);
    const perRow = shape.slice(1);
    const fits =
      shape.length === tensor.shape.length + 1 &&
      perRow.every((size, axis) => typeof size === 'string' || size === tensor.shape[axis]);
    if (!fits)
      refuse(
        name,
        `the model takes [${shape.join(', ')}], a row of ${column} is [${tensor.shape.join(', ')}]`,
      );
  }
}
