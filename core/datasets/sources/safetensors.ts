/** safetensors files, rows first: several are shards of one dataset, in the order given. */
import { DTYPES } from '../../tensors/dtypes.ts';
import { Fault } from '../../errors.ts';
import { readLayout } from '../../tensors/safetensors.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { chunksOf, type DataFile } from '../data-file.ts';
import { blocksOf, type TensorRows } from './tensors.ts';

/** @throws Fault `invalid` naming the file and the tensor that is malformed */
export async function safetensorsRows(file: DataFile): Promise<TensorRows[]> {
  const { entries, dataStart } = await readLayout(file.size, (start, end) => file.read(start, end)).catch(
    (thrown: unknown) => {
      if (!(thrown instanceof Fault)) throw thrown;
      throw new Fault(thrown.code, `${file.name}: ${thrown.message}`, { cause: thrown });
    },
  );
  return entries.map(({ name, dtype, shape, start, end }) => {
    const [rows, ...rest] = shape;
    if (rows === undefined) throw new Fault('invalid', `${file.name}: ${name} is a scalar: it has no rows`);
    const format = { dtype, bytes: DTYPES[dtype].bytes, isBigEndian: false };
    const place = { file: file.name, rows, elements: elementCount(rest) };
    return {
      name,
      file: file.name,
      spec: { dtype, shape: rest },
      rows,
      blocks: (size) =>
        blocksOf(chunksOf(file, dataStart + start, dataStart + end), format, { ...place, size }),
    };
  });
}
