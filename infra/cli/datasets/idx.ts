/** IDX image and label files (MNIST, Fashion-MNIST …) as rows with `image` and `label`. */
import { readFile } from 'node:fs/promises';
import { columns, type Columns } from '../../../core/datasets/columns.ts';
import { parseIdx } from '../../../core/datasets/idx.ts';
import { Fault } from '../../../core/errors.ts';
import { elementCount, type TensorValue } from '../../../core/tensors/tensor.ts';

export interface IdxFiles {
  readonly images: string;
  readonly labels: string;
}

/** 8-bit images are served to the model as 0…1. */
const IMAGE_DIVISOR = 255;

/** @returns `image` U8 [pixels] with divisor 255, `label` U8 []. @throws Fault `invalid` naming the file */
export async function readIdx({ images, labels }: IdxFiles): Promise<Columns> {
  const [image, label] = await Promise.all([readFileOf(images), readFileOf(labels)]);
  if (image.shape.length < 2) throw new Fault('invalid', `${images}: rank 1; images have at least 2`);
  if (label.shape.length !== 1)
    throw new Fault('invalid', `${labels}: rank ${label.shape.length}; labels have 1`);
  if (image.shape[0] !== label.shape[0]) {
    throw new Fault('invalid', `${images} has ${image.shape[0]} rows, ${labels} has ${label.shape[0]}`);
  }
  const scaled = image.dtype === 'U8' ? { divisor: IMAGE_DIVISOR } : {};
  return columns({
    image: {
      spec: { dtype: image.dtype, shape: [elementCount(image.shape.slice(1))], ...scaled },
      data: image.data,
    },
    label: { spec: { dtype: label.dtype, shape: [] }, data: label.data },
  });
}

async function readFileOf(path: string): Promise<TensorValue> {
  let bytes: Buffer<ArrayBuffer>;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new Fault('invalid', `${path}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    });
  }
  try {
    return parseIdx(bytes);
  } catch (thrown) {
    if (thrown instanceof Fault)
      throw new Fault(thrown.code, `${path}: ${thrown.message}`, { cause: thrown });
    throw thrown;
  }
}
