import { basename } from 'node:path';
import { Name } from '../../../../core/contracts/primitives.ts';
import { Fault } from '../../../../core/errors.ts';

/**
 * What releases are published under, where the command line does not say: the model's file without its ending, else
 * the dataset.
 * @throws Fault `invalid` where that is no name
 */
export function modelName(given: string | undefined, file: string | undefined, dataset: string): string {
  if (given !== undefined) return given;
  const stem = file === undefined ? dataset : basename(file).replace(/\.onnx$/i, '');
  const name = stem.toLowerCase();
  if (Name.safeParse(name).success) return name;
  throw new Fault('invalid', `name: ${stem} is no name for a model; say one before the options`, {
    field: 'name',
  });
}
