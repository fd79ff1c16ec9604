/** IDX image and label files (MNIST, Fashion-MNIST …) whole, for what wants their rows in memory. */
import type { Columns } from '../../../core/datasets/columns.ts';
import { idxSource } from '../../../core/datasets/sources/idx.ts';
import { collect } from '../../../core/datasets/sources/memory.ts';
import { dataFile } from './files.ts';

export interface IdxPaths {
  readonly images: string;
  readonly labels: string;
}

/** @returns `image` U8 [pixels] with divisor 255, `label` U8 []. @throws Fault `invalid` naming the file */
export async function readIdx({ images, labels }: IdxPaths): Promise<Columns> {
  const { all } = await collect(
    await idxSource({ images: await dataFile(images), labels: await dataFile(labels) }),
  );
  return all!;
}
