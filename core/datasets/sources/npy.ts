/**
 * NumPy's .npy format (numpy.lib.format, versions 1 to 3): a magic string, a version, the header's length, the header (a
 * Python dictionary of `descr`, `fortran_order` and `shape`), then the elements.
 */
import { Fault } from '../../errors.ts';
import type { NumericArray } from '../../tensors/dtypes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { blocksOf, type ElementFormat, type TensorRows } from './tensors.ts';

const MAGIC = '\u0093NUMPY';
/** Versions 2 and 3 could have 4 GB of it; ours of a plain array is 128 bytes. */
const MAX_HEADER = 1 << 16;

/** By kind and bytes, as in `<f4`. */
const TYPES: Readonly<Record<string, Omit<ElementFormat, 'isBigEndian'>>> = {
  f2: { dtype: 'F32', bytes: 2, convert: widen },
  f4: { dtype: 'F32', bytes: 4 },
  f8: { dtype: 'F64', bytes: 8 },
  i1: { dtype: 'I8', bytes: 1 },
  u1: { dtype: 'U8', bytes: 1 },
  i2: { dtype: 'I16', bytes: 2 },
  u2: { dtype: 'U16', bytes: 2 },
  i4: { dtype: 'I32', bytes: 4 },
  u4: { dtype: 'U32', bytes: 4 },
  i8: { dtype: 'I64', bytes: 8 },
  u8: { dtype: 'U64', bytes: 8 },
  b1: { dtype: 'BOOL', bytes: 1 },
};

/** Bytes of a member, from the beginning, as often as asked for. */
export type OpenStream = () => AsyncIterable<Uint8Array>;

/**
 * @param file for messages
 * @throws Fault `invalid` where it is no .npy, or an array without rows of numbers
 */
export async function npyRows(name: string, file: string, open: OpenStream): Promise<TensorRows> {
  const bad = (what: string): never => {
    throw new Fault('invalid', `${file}: ${what}`);
  };
  const { header, start } = await readHeader(open, bad);
  const [, descr] =
    /'descr':\s*'([^']*)'/u.exec(header) ?? bad(`its type is none of numbers: ${header.trim()}`);
  const [, order] = /'fortran_order':\s*(True|False)/u.exec(header) ?? bad('the header has no fortran_order');
  const [, sizes] = /'shape':\s*\(([^)]*)\)/u.exec(header) ?? bad('the header has no shape');
  const shape = sizes!.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  const [rows, ...rest] = shape;
  if (rows === undefined || !shape.every(Number.isSafeInteger)) return bad(`shape (${sizes}) has no rows`);
  if (order === 'True' && rest.length > 0) bad('its order is Fortran: save numpy.ascontiguousarray of it');
  const type = TYPES[descr!.slice(1)] ?? bad(`type ${descr}; allowed are ${Object.keys(TYPES).join(', ')}`);
  const format = { ...type, isBigEndian: descr!.startsWith('>') };
  const elements = elementCount(rest);
  return {
    name,
    file,
    spec: { dtype: type.dtype, shape: rest },
    rows,
    blocks: (size) => blocksOf(after(open(), start), format, { file, rows, elements, size }),
  };
}

async function readHeader(
  open: OpenStream,
  bad: (what: string) => never,
): Promise<{ readonly header: string; readonly start: number }> {
  let head = new Uint8Array(0);
  let start = Infinity;
  for await (const chunk of open()) {
    const joined = new Uint8Array(head.length + chunk.length);
    joined.set(head);
    joined.set(chunk, head.length);
    head = joined;
    if (head.length < 12) continue;
    start = endOfHeader(head, bad);
    if (head.length >= start) break;
  }
  if (head.length < start) bad('not a .npy file: it ends within the header');
  const header = new TextDecoder('latin1').decode(head.subarray(head[6] === 1 ? 10 : 12, start));
  return { header, start };
}

function endOfHeader(head: Uint8Array<ArrayBuffer>, bad: (what: string) => never): number {
  const isMagic = String.fromCharCode(...head.subarray(0, 6)) === MAGIC;
  const version = head[6]!;
  if (!isMagic || version < 1 || version > 3) bad('not a .npy file: it does not start as one');
  const view = new DataView(head.buffer);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER) bad(`the header claims ${length} bytes: at most ${MAX_HEADER} are allowed`);
  return (version === 1 ? 10 : 12) + length;
}

/** What comes after the first `skipped` bytes. */
async function* after(chunks: AsyncIterable<Uint8Array>, skipped: number): AsyncGenerator<Uint8Array> {
  let left = skipped;
  for await (const chunk of chunks) {
    if (chunk.length > left) yield chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}

/** IEEE 754 half precision as single: every half is a single. */
function widen(bytes: Uint8Array<ArrayBuffer>): NumericArray {
  return Float32Array.from(new Uint16Array(bytes.buffer), (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
