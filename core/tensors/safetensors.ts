/**
 * safetensors (github.com/huggingface/safetensors, format section of its README): 8 bytes little-endian header
 * length N, N bytes JSON, then the tensors back to back. `data_offsets` count from the end of the header, and the
 * tensors must cover the rest of the file without holes or overlaps.
 *
 * Encoding is deterministic: tensors lie in insertion order and the header is padded with spaces so that the data
 * begins at a multiple of 8.
 */
import { z } from 'zod';
import { Fault } from '../errors.ts';
import { type DType, DTYPES, dtypeOfSafetensors } from './dtypes.ts';
import { elementCount, type TensorValue } from './tensor.ts';

/** Bytes. The reference implementation's own limit: a longer header is an attack or a broken file. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;
const METADATA = '__metadata__';

export interface SafetensorsFile {
  readonly tensors: Map<string, TensorValue>;
  readonly metadata: Record<string, string>;
}

const Size = z.int().min(0);
const Entry = z.strictObject({
  dtype: z.string(),
  shape: z.array(Size),
  data_offsets: z.tuple([Size, Size]),
});
const Metadata = z.record(z.string(), z.string());

const bad = (field: string, message: string) => new Fault('invalid', `safetensors: ${message}`, { field });

function asMap(
  tensors: ReadonlyMap<string, TensorValue> | Readonly<Record<string, TensorValue>>,
): ReadonlyMap<string, TensorValue> {
  return tensors instanceof Map ? tensors : new Map(Object.entries(tensors));
}

/** @throws Fault `invalid` where a tensor's data does not have its shape's number of elements or its dtype's array. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorValue> | Readonly<Record<string, TensorValue>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const header: [string, unknown][] = metadata === undefined ? [] : [[METADATA, metadata]];
  const all = asMap(tensors);
  let end = 0;
  for (const [name, { dtype, shape, data }] of all) {
    if (name === METADATA) throw bad(name, `a tensor cannot be called ${METADATA}`);
    const row = DTYPES[dtype];
    if (!(data instanceof row.array)) throw bad(name, `${name}: ${dtype} data must be a ${row.array.name}`);
    if (data.length !== elementCount(shape))
      throw bad(name, `${name}: shape [${shape.join(', ')}] does not hold ${data.length} elements`);
    header.push([name, { dtype: row.safetensors, shape, data_offsets: [end, end + data.byteLength] }]);
    end += data.byteLength;
  }
  const json = new TextEncoder().encode(jsonObject(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  file.set(json, LENGTH_BYTES);
  let position = LENGTH_BYTES + headerBytes;
  for (const { data } of all.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return file;
}

/** JSON of an object in the order given: JSON.stringify would move integer-like names to the front. */
function jsonObject(entries: readonly (readonly [string, unknown])[]): string {
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
}

/** Where a tensor lies: bytes `[start, end)` after the header. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsLayout {
  /** In the header's order. */
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Record<string, string>;
  /** Byte of the file at which the tensors begin. */
  readonly dataStart: number;
}

/**
 * What the header says, which is all of a large file that has to be read for it.
 * @param read bytes `[start, end)` of the file
 * @throws Fault `invalid` naming the tensor or header field that is malformed
 */
export async function readLayout(
  fileBytes: number,
  read: (start: number, end: number) => Promise<Uint8Array>,
): Promise<SafetensorsLayout> {
  const dataStart = dataStartOf(
    fileBytes,
    fileBytes < LENGTH_BYTES ? undefined : await read(0, LENGTH_BYTES),
  );
  return layoutOf(await read(LENGTH_BYTES, dataStart), fileBytes);
}

/** @param start the first bytes of the file */
function dataStartOf(fileBytes: number, start: Uint8Array | undefined): number {
  if (start === undefined)
    throw bad('header', `the file is truncated: ${fileBytes} bytes do not hold the header length`);
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES)
    throw bad('header', `the header claims ${length} bytes: at most ${MAX_HEADER_BYTES} are allowed`);
  const dataStart = LENGTH_BYTES + Number(length);
  if (dataStart > fileBytes)
    throw bad('header', `the file is truncated: the header claims ${length} of ${fileBytes} bytes`);
  return dataStart;
}

function layoutOf(headerBytes: Uint8Array, fileBytes: number): SafetensorsLayout {
  const dataStart = LENGTH_BYTES + headerBytes.length;
  const dataBytes = fileBytes - dataStart;
  const entries: SafetensorsEntry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseHeader(headerBytes))) {
    if (name === METADATA) {
      const parsed = Metadata.safeParse(value);
      if (!parsed.success) throw bad(METADATA, `${METADATA} must map strings to strings`);
      metadata = parsed.data;
    } else entries.push(entryOf(name, value, dataBytes));
  }
  checkCoverage(entries, dataBytes);
  return { entries, metadata, dataStart };
}

function parseHeader(bytes: Uint8Array): object {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes));
  } catch (cause) {
    throw new Fault('invalid', 'safetensors: the header is not UTF-8 JSON', { field: 'header', cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw bad('header', 'the header is not a JSON object');
  return header;
}

function entryOf(name: string, value: unknown, dataBytes: number): SafetensorsEntry {
  const parsed = Entry.safeParse(value);
  if (!parsed.success)
    throw bad(
      name,
      `${name} must have exactly dtype, shape and data_offsets: ${parsed.error.issues[0]?.message}`,
    );
  const { dtype: dtypeName, shape, data_offsets: offsets } = parsed.data;
  const dtype = dtypeOfSafetensors(dtypeName);
  if (dtype === undefined)
    throw bad(name, `${name} has dtype ${dtypeName}: supported are ${Object.keys(DTYPES).join(', ')}`);
  const [start, end] = offsets;
  if (start > end || end > dataBytes)
    throw bad(name, `${name} has data_offsets [${start}, ${end}] outside the ${dataBytes} bytes of data`);
  const bytes = elementCount(shape) * DTYPES[dtype].bytes;
  if (bytes !== end - start)
    throw bad(
      name,
      `${name}: shape [${shape.join(', ')}] of ${dtype} is ${bytes} bytes, data_offsets hold ${end - start}`,
    );
  return { name, dtype, shape, start, end };
}

/**
 * Tensors are views of `bytes` where their offset is aligned for their dtype, copies where not.
 * @throws Fault `invalid` naming the tensor or header field that is malformed
 */
export function decodeSafetensors(bytes: Uint8Array<ArrayBuffer>): SafetensorsFile {
  const start = dataStartOf(bytes.length, bytes.length < LENGTH_BYTES ? undefined : bytes);
  const { entries, metadata, dataStart } = layoutOf(bytes.subarray(LENGTH_BYTES, start), bytes.length);
  const tensors = new Map<string, TensorValue>();
  for (const { name, dtype, shape, start, end } of entries) {
    const { array, bytes: size } = DTYPES[dtype];
    const position = bytes.byteOffset + dataStart + start;
    const data =
      position % size === 0
        ? new array(bytes.buffer, position, elementCount(shape))
        : new array(new Uint8Array(bytes.subarray(dataStart + start, dataStart + end)).buffer);
    tensors.set(name, { dtype, shape, data });
  }
  return { tensors, metadata };
}

function checkCoverage(
  extents: readonly { name: string; start: number; end: number }[],
  dataBytes: number,
): void {
  let covered = 0;
  for (const { name, start, end } of [...extents].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start < covered) throw bad(name, `${name} begins at byte ${start} and overlaps the tensor before it`);
    if (start > covered) throw bad(name, `bytes ${covered} to ${start} before ${name} belong to no tensor`);
    covered = end;
  }
  if (covered !== dataBytes)
    throw bad('header', `the last ${dataBytes - covered} bytes of the file belong to no tensor`);
}
