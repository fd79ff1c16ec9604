/**
 * Members of a ZIP archive (PKWARE APPNOTE 6.3.10), read one after another without the archive in memory: stored or
 * deflated, with the 64-bit fields that NumPy writes. The central directory says where everything is.
 */
import { Fault } from '../../errors.ts';
import { chunksOf, type DataFile } from '../data-file.ts';

export interface ZipMember {
  readonly name: string;
  /** Its bytes, from the beginning, as often as asked for. */
  open(): AsyncIterable<Uint8Array>;
}

const END = 0x06054b50;
const END_BYTES = 22;
const END64_LOCATOR = 0x07064b50;
const END64 = 0x06064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/** In a 32-bit field: the value is in the 64-bit extra. */
const ELSEWHERE = 0xffff_ffff;
const MAX_COMMENT = 0xffff;

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** @throws Fault `invalid` naming the file, where it is no archive or one that this does not read */
export async function zipMembers(file: DataFile): Promise<ZipMember[]> {
  const { start, bytes, entries } = await directoryOf(file);
  const directory = await file.read(start, start + bytes);
  const view = viewOf(directory);
  const members: ZipMember[] = [];
  let at = 0;
  for (let i = 0; i < entries; i++) {
    if (at + 46 > directory.length || view.getUint32(at, true) !== ENTRY)
      throw bad(file, 'its directory is broken');
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) =>
      view.getUint16(at + field, true),
    ) as [number, number, number];
    const name = new TextDecoder().decode(directory.subarray(at + 46, at + 46 + nameBytes));
    const extra = directory.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes);
    const [size, packed, offset] = wide(
      extra,
      [24, 20, 42].map((field) => view.getUint32(at + field, true)),
    );
    const method = view.getUint16(at + 10, true);
    if ((view.getUint16(at + 8, true) & 1) === 1) throw bad(file, `${name} is encrypted`);
    if (method !== 0 && method !== 8)
      throw bad(file, `${name} is packed by method ${method}; read are 0 and 8`);
    members.push({
      name,
      open: () => contentOf(file, { name, offset: offset!, packed: packed!, size: size!, method }),
    });
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return members;
}

const bad = (file: DataFile, what: string) => new Fault('invalid', `${file.name}: ${what}`);

async function directoryOf(file: DataFile): Promise<{ start: number; bytes: number; entries: number }> {
  const tailStart = Math.max(0, file.size - END_BYTES - MAX_COMMENT);
  const view = viewOf(await file.read(tailStart, file.size));
  let at = view.byteLength - END_BYTES;
  while (at >= 0 && view.getUint32(at, true) !== END) at--;
  if (at < 0) throw bad(file, 'not a ZIP archive (.npz): it has no directory');
  const entries = view.getUint16(at + 10, true);
  const bytes = view.getUint32(at + 12, true);
  const start = view.getUint32(at + 16, true);
  if (entries !== 0xffff && bytes !== ELSEWHERE && start !== ELSEWHERE) return { start, bytes, entries };
  if (at < 20 || view.getUint32(at - 20, true) !== END64_LOCATOR) throw bad(file, 'its directory is broken');
  const place = Number(view.getBigUint64(at - 12, true));
  const wideEnd = viewOf(await file.read(place, Math.min(file.size, place + 56)));
  if (wideEnd.byteLength < 56 || wideEnd.getUint32(0, true) !== END64)
    throw bad(file, 'its directory is broken');
  const field = (offset: number) => Number(wideEnd.getBigUint64(offset, true));
  return { start: field(48), bytes: field(40), entries: field(32) };
}

/** Fields that say "elsewhere" are in the extra of id 1, in this order. */
function wide(extra: Uint8Array, fields: readonly number[]): number[] {
  const view = viewOf(extra);
  let at = 0;
  while (at + 4 <= extra.length && view.getUint16(at, true) !== 1) at += 4 + view.getUint16(at + 2, true);
  let next = at + 4;
  return fields.map((value) => {
    if (value !== ELSEWHERE || next + 8 > extra.length) return value;
    next += 8;
    return Number(view.getBigUint64(next - 8, true));
  });
}

interface Place {
  readonly name: string;
  readonly offset: number;
  readonly packed: number;
  readonly size: number;
  readonly method: number;
}

async function* contentOf(file: DataFile, place: Place): AsyncGenerator<Uint8Array> {
  const { name, offset, packed, size, method } = place;
  const local = viewOf(await file.read(offset, Math.min(file.size, offset + LOCAL_BYTES)));
  if (local.byteLength < LOCAL_BYTES || local.getUint32(0, true) !== LOCAL)
    throw bad(file, `${name} is not where it should be`);
  const start = offset + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
  if (start + packed > file.size) throw bad(file, `${name} is cut off`);
  const chunks = chunksOf(file, start, start + packed);
  let length = 0;
  try {
    for await (const chunk of method === 0 ? chunks : inflated(chunks)) {
      length += chunk.length;
      yield chunk;
    }
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault('invalid', `${file.name}: ${name} cannot be unpacked`, { cause: thrown });
  }
  if (length !== size) throw bad(file, `${name} unpacks to ${length} bytes instead of ${size}`);
}

/** By the platform's own inflate. */
function inflated(chunks: AsyncIterable<Uint8Array<ArrayBuffer>>): AsyncIterable<Uint8Array> {
  const next = chunks[Symbol.asyncIterator]();
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await next.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });
  return packed.pipeThrough(new DecompressionStream('deflate-raw'));
}
