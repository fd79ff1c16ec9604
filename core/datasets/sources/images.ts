/** Images whose folder is their class, as `image` U8 [channels, height, width] and `label`. */
import type { DatasetTensor } from '../../contracts/dataset.ts';
import { Fault, messageOf } from '../../errors.ts';
import { createRandom, permutation } from '../../random.ts';
import { columns } from '../columns.ts';
import type { DataFile } from '../data-file.ts';
import { type DecodeImage, type Planes, planesOf } from '../images/image.ts';
import { resize } from '../images/resize.ts';
import { type Batch, batchRows, type DatasetSource } from '../source.ts';

/** The model sees 0…1. */
const DIVISOR = 255;

export interface ImageFile {
  readonly file: DataFile;
  /** The folder's name. */
  readonly label: string;
  readonly split?: string;
}

export interface ImageOptions {
  readonly channels: 1 | 3;
  /** What images are resized to; left out, all must be as large as the first. */
  readonly size?: { readonly height: number; readonly width: number };
  /** Of the order in which they are stored: a folder after the other would make shards of one class. */
  readonly seed: number;
  readonly decode: DecodeImage;
}

/** @throws Fault `invalid` where there is no image, or the first cannot be read and no size is given */
export async function imageSource(
  files: readonly ImageFile[],
  options: ImageOptions,
): Promise<DatasetSource> {
  if (files.length === 0)
    throw new Fault('invalid', 'there are no images: PNG and JPEG files in folders are read');
  const labels = [...new Set(files.map(({ label }) => label))].sort();
  const { height, width } = options.size ?? (await sizeOf(files, options));
  const splits = [...new Set(files.flatMap(({ split }) => split ?? []))];
  const order = shuffled(files, options.seed);
  const tensors = {
    image: { dtype: 'U8', shape: [options.channels, height, width], divisor: DIVISOR },
    label: { dtype: 'I32', shape: [] },
  } satisfies Record<string, DatasetTensor>;
  const rowBytes = options.channels * height * width;
  return {
    bytes: files.reduce((sum, { file }) => sum + file.size, 0),
    tensors,
    ...(splits.length === 0 ? {} : { splits }),
    async *read(onRead) {
      for (const group of groupsOf(order, batchRows(rowBytes))) {
        const data = new Uint8Array(group.length * rowBytes);
        const wrong = new Map<number, string>();
        for (const [row, { file }] of group.entries()) {
          const image = await read(file, options, { height, width });
          onRead(file.size);
          if (typeof image === 'string') wrong.set(row, image);
          else data.set(image.data, row * rowBytes);
        }
        const ids = Int32Array.from(group, ({ label }) => labels.indexOf(label));
        const batch: Batch = {
          rows: columns({
            image: { spec: tensors.image, data },
            label: { spec: tensors.label, data: ids },
          }),
          wrong,
          placeOf: (row) => group[row]!.file.name,
        };
        const [{ split }] = group;
        yield split === undefined ? batch : { ...batch, split };
      }
    },
    settle: () => [
      { name: 'image', tensor: 'image', kind: 'number', nulls: 0 },
      { name: 'label', tensor: 'label', kind: 'class', nulls: 0, classes: labels.length, labels },
    ],
  };
}

type Size = { readonly height: number; readonly width: number };

/** @returns why it cannot be used */
async function read(file: DataFile, options: ImageOptions, size: Size): Promise<Planes | string> {
  let image: Planes;
  const bytes = await file.read(0, file.size);
  try {
    image = planesOf(await options.decode(bytes), options.channels);
  } catch (thrown) {
    return messageOf(thrown);
  }
  if (options.size !== undefined) return resize(image, size.height, size.width);
  if (image.width === size.width && image.height === size.height) return image;
  return `${image.height} × ${image.width} pixels, the first image has ${size.height} × ${size.width}: resize them with --size`;
}

/** Of the first that can be read. */
async function sizeOf(files: readonly ImageFile[], { decode }: ImageOptions): Promise<Size> {
  let reason = '';
  for (const { file } of files.slice(0, 10)) {
    try {
      const { height, width } = await decode(await file.read(0, file.size));
      return { height, width };
    } catch (thrown) {
      if (thrown instanceof Fault) throw thrown;
      reason ||= `${file.name}: ${messageOf(thrown)}`;
    }
  }
  throw new Fault('invalid', `the first images cannot be read: ${reason}`);
}

/** Split by split, each in an order of its own. */
function shuffled(files: readonly ImageFile[], seed: number): ImageFile[] {
  const splits = [...new Set(files.map(({ split }) => split))];
  return splits.flatMap((wanted, stream) => {
    const some = files.filter(({ split }) => split === wanted);
    return Array.from(permutation(some.length, createRandom(seed, stream)), (at) => some[at]!);
  });
}

/** At most `size` neighbours of one split. */
function* groupsOf(files: readonly ImageFile[], size: number): Generator<[ImageFile, ...ImageFile[]]> {
  let group: ImageFile[] = [];
  for (const file of files) {
    if (group.length === size || (group[0] !== undefined && group[0].split !== file.split)) {
      yield group as [ImageFile, ...ImageFile[]];
      group = [];
    }
    group.push(file);
  }
  if (group.length > 0) yield group as [ImageFile, ...ImageFile[]];
}
