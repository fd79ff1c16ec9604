/** Arrays of .npy and .npz files by name: an .npz has named members, an .npy is called as its file. */
import { chunksOf, type DataFile } from '../data-file.ts';
import { npyRows } from './npy.ts';
import type { TensorRows } from './tensors.ts';
import { zipMembers } from './zip.ts';

const NPY = '.npy';

const withoutEnding = (name: string) => (name.endsWith(NPY) ? name.slice(0, -NPY.length) : name);

export interface NumpyArray {
  readonly name: string;
  /** @throws Fault `invalid` where the array cannot be read */
  rows(): Promise<TensorRows>;
}

/** @throws Fault `invalid` naming the file */
export async function numpyArrays(file: DataFile): Promise<NumpyArray[]> {
  if (!file.name.endsWith('.npz')) {
    const name = withoutEnding(file.name);
    return [{ name, rows: () => npyRows(name, file.name, () => chunksOf(file)) }];
  }
  return (await zipMembers(file)).map((member) => {
    const name = withoutEnding(member.name);
    return { name, rows: () => npyRows(name, `${file.name} ${name}`, () => member.open()) };
  });
}
