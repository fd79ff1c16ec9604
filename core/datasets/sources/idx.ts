/**
 * The IDX format of the MNIST files (LeCun, Cortes & Burges, "The MNIST database of handwritten digits"): two zero
 * bytes, a type code, the rank, one big-endian 32-bit size per dimension, then the elements, big-endian, row-major.
 */
import { Fault } from '../../errors.ts';
import { type DType, DTYPES } from '../../tensors/dtypes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { chunksOf, type DataFile } from '../data-file.ts';
import type { DatasetSource } from '../source.ts';
import { blocksOf, type TensorPart, type TensorRows, tensorSource } from './tensors.ts';

const TYPES: ReadonlyMap<number, DType> = new Map([
  [0x08, 'U8'],
  [0x09, 'I8'],
  [0x0b, 'I16'],
  [0x0c, 'I32'],
  [0x0d, 'F32'],
  [0x0e, 'F64'],
]);

/** 8-bit images are served to the model as 0…1. */
const IMAGE_DIVISOR = 255;

export interface IdxFiles {
  readonly images: DataFile;
  readonly labels: DataFile;
}

/**
 * @returns `image` [pixels], U8 with divisor 255, and `label` []
 * @throws Fault `invalid` naming the file
 */
export async function idxSource(train: IdxFiles, test?: IdxFiles): Promise<DatasetSource> {
  const part = async ({ images, labels }: IdxFiles): Promise<TensorPart> => {
    const image = await idxRows(images, 'image');
    const label = await idxRows(labels, 'label');
    if (image.spec.shape.length < 1)
      throw new Fault('invalid', `${images.name}: rank 1; images have at least 2`);
    if (label.spec.shape.length > 0)
      throw new Fault('invalid', `${labels.name}: rank ${label.spec.shape.length + 1}; labels have 1`);
    const flat = { ...image.spec, shape: [elementCount(image.spec.shape)] };
    return { tensors: [{ ...image, spec: flat }, label] };
  };
  const first = await part(train);
  const divisors: Record<string, number> =
    first.tensors[0]?.spec.dtype === 'U8' ? { image: IMAGE_DIVISOR } : {};
  const options = { target: 'label', divisors };
  if (test === undefined) return tensorSource([first], options);
  const held = await part(test);
  return tensorSource(
    [
      { ...first, split: 'train' },
      { ...held, split: 'test' },
    ],
    options,
  );
}

/** @throws Fault `invalid` saying what in the file is wrong */
async function idxRows(file: DataFile, name: string): Promise<TensorRows> {
  const bad = (what: string): never => {
    throw new Fault('invalid', `${file.name}: not an IDX file: ${what}`);
  };
  if (file.size < 4) bad(`${file.size} bytes, at least 4 are needed`);
  const magic = new DataView((await file.read(0, 4)).buffer);
  if (magic.getUint16(0) !== 0) bad('it does not start with two zero bytes');
  const code = magic.getUint8(2);
  const dtype =
    TYPES.get(code) ?? bad(`type code 0x${code.toString(16)}; allowed are 0x8, 0x9, 0xb, 0xc, 0xd, 0xe`);
  const rank = magic.getUint8(3);
  if (rank === 0) bad('rank 0');
  const header = 4 + 4 * rank;
  if (file.size < header) bad(`the header of rank ${rank} needs ${header} bytes, there are ${file.size}`);
  const sizes = new DataView((await file.read(4, header)).buffer);
  const [rows, ...shape] = Array.from({ length: rank }, (_, axis) => sizes.getUint32(4 * axis)) as [
    number,
    ...number[],
  ];
  const { bytes } = DTYPES[dtype];
  const elements = elementCount(shape);
  const expected = header + rows * elements * bytes;
  if (file.size !== expected)
    bad(`shape [${[rows, ...shape].join(', ')}] of ${dtype} needs ${expected} bytes, there are ${file.size}`);
  const format = { dtype, bytes, isBigEndian: true };
  return {
    name,
    file: file.name,
    spec: { dtype, shape },
    rows,
    blocks: (size) => blocksOf(chunksOf(file, header), format, { file: file.name, rows, elements, size }),
  };
}
