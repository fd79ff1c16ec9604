/** Files of rows, one after another; those of `test` are held out, and without any the held-out rows are drawn. */
import type { DataFile } from '../data-file.ts';

export interface SplitFiles {
  readonly train: readonly [DataFile, ...DataFile[]];
  readonly test: readonly DataFile[];
  /** Of all. */
  readonly bytes: number;
  /** What a source says of its splits. */
  readonly named: { readonly splits?: readonly string[] };
}

export function splitFiles(
  train: readonly [DataFile, ...DataFile[]],
  test: readonly DataFile[] = [],
): SplitFiles {
  const bytes = [...train, ...test].reduce((sum, { size }) => sum + size, 0);
  return { train, test, bytes, named: test.length === 0 ? {} : { splits: ['train', 'test'] } };
}

/** What is read of each file, with the split that it is of. */
export async function* inSplits<T extends object>(
  { train, test }: SplitFiles,
  read: (file: DataFile) => AsyncIterable<T>,
): AsyncGenerator<T & { readonly split?: string }> {
  for (const file of train)
    for await (const batch of read(file)) yield test.length === 0 ? batch : { ...batch, split: 'train' };
  for (const file of test) for await (const batch of read(file)) yield { ...batch, split: 'test' };
}
