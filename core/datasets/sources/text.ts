/** A text file as rows of tokens and the tokens after them, by the rule of `core/language/rows.ts`, as it passes by. */
import type { DatasetTensor } from '../../contracts/dataset.ts';
import { Fault } from '../../errors.ts';
import { encodeStream } from '../../language/encode-stream.ts';
import { textCut, tokenDType } from '../../language/rows.ts';
import type { Tokenizer } from '../../language/tokenizer.ts';
import { DTYPES } from '../../tensors/dtypes.ts';
import { type Column, columns } from '../columns.ts';
import { chunksOf, type DataFile } from '../data-file.ts';
import { rowBytesOf } from '../shard-writer.ts';
import { batchRows, type DatasetSource, NO_WRONG } from '../source.ts';

/** Without a tokenizer each byte is a token. */
const BYTES = 256;

export interface TextOptions {
  readonly tokenizer?: Tokenizer;
  /** Tokens of one row. */
  readonly length: number;
  /** Share of the tokens, from the end, that become the test split; 0 < share < 1. */
  readonly testShare: number;
}

type Tokens = AsyncIterable<ArrayLike<number>>;

/**
 * @param onRead told of the bytes that are read to count the tokens
 * @throws Fault `invalid` where it is too short for a row, or not UTF-8: at once or, without a tokenizer, when it is read
 */
export async function textSource(
  file: DataFile,
  { tokenizer, length, testShare }: TextOptions,
  onRead: (bytes: number) => void = () => {},
): Promise<DatasetSource> {
  const vocabulary = tokenizer?.vocabulary ?? BYTES;
  const spec: DatasetTensor = { dtype: tokenDType(vocabulary), shape: [length] };
  const tokensOf = (onRead: (bytes: number) => void): Tokens =>
    tokenizer === undefined ? checked(file, onRead) : encodeStream(tokenizer, textOf(file, onRead));
  let all = file.size;
  if (tokenizer !== undefined) {
    all = 0;
    for await (const tokens of tokensOf(onRead)) all += tokens.length;
  }
  const ranges = textCut(all, length, testShare);
  const tensors = { tokens: spec, targets: spec };
  const size = batchRows(rowBytesOf(tensors));
  return {
    bytes: file.size,
    tensors,
    rows: Object.fromEntries(ranges.map(({ split, rows }) => [split, rows])),
    async *read(onRead) {
      for await (const { split, block } of blocksOf(tokensOf(onRead), ranges, length, size)) {
        const from = (offset: number): Column => {
          const data = new DTYPES[spec.dtype].array(block.length - 1);
          for (let i = 0; i < data.length; i++) data[i] = block[offset + i]!;
          return { spec, data };
        };
        const rows = columns({ tokens: from(0), targets: from(1) });
        yield { rows, wrong: NO_WRONG, placeOf: (row) => `${file.name} row ${row}`, split };
      }
    },
    settle: () =>
      Object.keys(tensors).map((name) => {
        return { name, tensor: name, kind: 'class', nulls: 0, classes: vocabulary };
      }),
  };
}

async function* counted(
  file: DataFile,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const chunk of chunksOf(file)) {
    onRead(chunk.length);
    yield chunk;
  }
}

/** The bytes themselves, of a text. */
async function* checked(
  file: DataFile,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const decode = decoderOf(file);
  for await (const chunk of counted(file, onRead)) {
    decode(chunk);
    yield chunk;
  }
  decode();
}

async function* textOf(file: DataFile, onRead: (bytes: number) => void): AsyncGenerator<string> {
  const decode = decoderOf(file);
  for await (const chunk of counted(file, onRead)) yield decode(chunk);
  yield decode();
}

/** Chunk by chunk; without one at the end. */
function decoderOf({ name }: DataFile): (chunk?: Uint8Array<ArrayBuffer>) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  return (chunk) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (cause) {
      throw new Fault('invalid', `${name}: it is not UTF-8`, { cause });
    }
  };
}

/** The tokens of at most `size` rows of a range, and the one after them. */
async function* blocksOf(
  tokens: Tokens,
  ranges: ReturnType<typeof textCut>,
  length: number,
  size: number,
): AsyncGenerator<{ readonly split: string; readonly block: Uint32Array }> {
  const chunks = tokens[Symbol.asyncIterator]();
  let chunk: ArrayLike<number> = [];
  /** Where the chunk begins, in the text. */
  let origin = 0;
  const copy = async (block: Uint32Array, filled: number, start: number) => {
    for (let i = filled; i < block.length; i++) {
      while (start + i - origin >= chunk.length) {
        origin += chunk.length;
        const { done, value } = await chunks.next();
        if (done === true) throw new Fault('conflict', 'the text changed while it was read');
        chunk = value;
      }
      block[i] = chunk[start + i - origin]!;
    }
  };
  for (const { split, start, rows } of ranges) {
    let last: number | undefined;
    for (let row = 0; row < rows; row += size) {
      const block = new Uint32Array(Math.min(size, rows - row) * length + 1);
      // The first token of a row is the target that the row before ended with.
      if (last !== undefined) block[0] = last;
      await copy(block, last === undefined ? 0 : 1, start + row * length);
      last = block.at(-1);
      yield { split, block };
    }
  }
}
