/** Files that hold tensors, rows first, as a source: IDX, NumPy and safetensors. */
import type { DatasetTensor } from '../../contracts/dataset.ts';
import { Fault } from '../../errors.ts';
import { DTYPES, type NumericArray } from '../../tensors/dtypes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { type Column, columns } from '../columns.ts';
import { wrongValues } from '../good-rows.ts';
import { rowBytesOf } from '../shard-writer.ts';
import { batchRows, type DatasetSource, tensorColumns, tensorName } from '../source.ts';

/** One tensor of a file. */
export interface TensorRows {
  /** As the file calls it. */
  readonly name: string;
  /** The file, for messages. */
  readonly file: string;
  /** Of one row. */
  readonly spec: DatasetTensor;
  readonly rows: number;
  /** All rows, `size` at a time; the last ones are what is left. */
  blocks(size: number): AsyncIterable<NumericArray>;
}

/** Tensors of as many rows each. Parts follow one another. */
export interface TensorPart {
  readonly split?: string;
  readonly tensors: readonly TensorRows[];
}

export interface TensorOptions {
  /** The tensor that holds class ids. */
  readonly target?: string;
  /** By name of the tensor: the model sees the stored values divided by it. */
  readonly divisors: Readonly<Record<string, number>>;
}

/** @throws Fault `invalid` where tensors do not have as many rows, or parts not the same tensors */
export function tensorSource(
  parts: readonly [TensorPart, ...TensorPart[]],
  options: TensorOptions,
): DatasetSource {
  const [first, ...others] = parts.map((part) => specsOf(part, options)) as [Specs, ...Specs[]];
  others.forEach((specs, at) => {
    if (text(specs) !== text(first))
      throw new Fault(
        'invalid',
        `${filesOf(parts[at + 1]!)} has ${text(specs)}; ${filesOf(parts[0])} has ${text(first)}`,
      );
  });
  const classes = new Set(options.target === undefined ? [] : [options.target]);
  for (const name of [...classes, ...Object.keys(options.divisors)]) {
    if (!(name in first))
      throw new Fault('invalid', `there is no tensor ${name}; there are ${Object.keys(first).join(', ')}`, {
        field: name,
      });
  }
  const rowBytes = rowBytesOf(first);
  const size = batchRows(rowBytes);
  return {
    bytes: parts.reduce((sum, part) => sum + rowsOf(part) * rowBytes, 0),
    tensors: first,
    ...(parts[0].split === undefined ? {} : { splits: [...new Set(parts.map(({ split }) => split ?? ''))] }),
    async *read(onRead) {
      for (const part of parts) {
        let start = 0;
        for await (const made of together(part, first, size)) {
          const rows = columns(made);
          onRead(rows.rows * rowBytes);
          const from = start;
          start += rows.rows;
          yield {
            rows,
            wrong: wrongValues(rows, classes),
            placeOf: (row) => `${filesOf(part)} row ${from + row}`,
            ...(part.split === undefined ? {} : { split: part.split }),
          };
        }
      }
    },
    settle: () => tensorColumns(Object.keys(first), classes),
  };
}

type Specs = Readonly<Record<string, DatasetTensor>>;

const filesOf = ({ tensors }: TensorPart) => [...new Set(tensors.map(({ file }) => file))].join(', ');
const rowsOf = ({ tensors }: TensorPart) => tensors[0]?.rows ?? 0;

const text = (specs: Specs) =>
  Object.entries(specs)
    .map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join(', ')}]`)
    .sort()
    .join(', ');

function specsOf(part: TensorPart, { divisors }: TensorOptions): Specs {
  const [first] = part.tensors;
  if (first === undefined) throw new Fault('invalid', 'there are no tensors');
  for (const { name, file, rows, spec } of part.tensors) {
    if (rows !== first.rows)
      throw new Fault(
        'invalid',
        `${file}: ${name} has ${rows} rows, ${first.name} of ${first.file} has ${first.rows}`,
      );
    if (rows === 0 || elementCount(spec.shape) === 0)
      throw new Fault('invalid', `${file}: ${name} is empty: [${[rows, ...spec.shape].join(', ')}]`);
  }
  return Object.fromEntries(
    part.tensors.map(({ name, spec }) => {
      const tensor = tensorName(name);
      const divisor = divisors[tensor];
      return [tensor, divisor === undefined ? spec : { ...spec, divisor }];
    }),
  );
}

/** The blocks of all tensors side by side. */
async function* together(
  { tensors }: TensorPart,
  specs: Specs,
  size: number,
): AsyncGenerator<Record<string, Column>> {
  const readers = tensors.map((tensor) => {
    return { name: tensorName(tensor.name), blocks: tensor.blocks(size)[Symbol.asyncIterator]() };
  });
  for (;;) {
    const made: [string, Column][] = [];
    for (const { name, blocks } of readers) {
      const { done, value } = await blocks.next();
      if (done !== true) made.push([name, { spec: specs[name]!, data: value }]);
    }
    if (made.length === 0) return;
    yield Object.fromEntries(made);
  }
}

/** How a file writes its elements. */
export interface ElementFormat {
  readonly dtype: keyof typeof DTYPES;
  /** Bytes of an element in the file. */
  readonly bytes: number;
  readonly isBigEndian: boolean;
  /** Of what is no element type here: the bytes, little-endian, as an array of `dtype`. */
  readonly convert?: (bytes: Uint8Array<ArrayBuffer>) => NumericArray;
}

/**
 * Row-major elements as blocks of rows.
 * @throws Fault `invalid` where the bytes end before the rows do
 */
export async function* blocksOf(
  chunks: AsyncIterable<Uint8Array>,
  { dtype, bytes: width, isBigEndian, convert }: ElementFormat,
  { file, rows, elements, size }: { file: string; rows: number; elements: number; size: number },
): AsyncGenerator<NumericArray> {
  const rowBytes = width * elements;
  const blockBytes = (done: number) => Math.min(size, rows - done) * rowBytes;
  let done = 0;
  let block = new Uint8Array(blockBytes(0));
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length && done < rows;) {
      const taken = Math.min(chunk.length - at, block.length - filled);
      block.set(chunk.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < block.length) continue;
      if (isBigEndian) reverseElements(block, width);
      yield convert === undefined ? new DTYPES[dtype].array(block.buffer) : convert(block);
      done += block.length / rowBytes;
      block = new Uint8Array(blockBytes(done));
      filled = 0;
    }
  }
  if (done < rows) throw new Fault('invalid', `${file}: it ends at row ${done} of ${rows}`);
}

/** Big-endian elements in this platform's order: little-endian, on all that ONNX Runtime supports. */
function reverseElements(bytes: Uint8Array, width: number): void {
  if (width > 1) for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}
