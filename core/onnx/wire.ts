/**
 * A protobuf codec described by tables (protobuf.dev/programming-guides/encoding). A message is an object of fields,
 * each with its number and how it is read and written; the table's type forces it to match the message's interface.
 * Fields a table does not know are kept as they came and written back after the known ones.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Deeper nesting than any real model has: a guard against stack exhaustion by hostile input. */
const MAX_DEPTH = 64;

export interface UnknownField {
  readonly no: number;
  readonly wire: WireType;
  readonly bytes: Uint8Array;
}

export interface Message {
  readonly unknown?: readonly UnknownField[];
}

/** How one value goes over the wire, without its tag. */
export interface Codec<V> {
  readonly wire: WireType;
  readonly read: (reader: BinaryReader, depth: number) => V;
  readonly write: (writer: BinaryWriter, value: V) => void;
}

/** A field of type V (an array where it is repeated) in a message. */
export interface Field<V> {
  readonly no: number;
  readonly empty: () => V;
  /** @returns the field's value after this occurrence */
  readonly read: (reader: BinaryReader, wire: WireType, depth: number, before: V) => V;
  readonly write: (writer: BinaryWriter, value: V) => void;
}

export type Table<M extends Message> = {
  readonly [K in Exclude<keyof M, 'unknown'>]-?: Field<M[K]>;
};

const varint = <V>(
  read: (reader: BinaryReader) => V,
  write: (writer: BinaryWriter, value: V) => unknown,
): Codec<V> => ({ wire: WireType.Varint, read, write: (writer, value) => void write(writer, value) });

export const int32 = varint(
  (r) => r.int32(),
  (w, v: number) => w.int32(v),
);
export const int64 = varint(
  (r) => BigInt(r.int64()),
  (w, v: bigint) => w.int64(v),
);
export const uint64 = varint(
  (r) => BigInt(r.uint64()),
  (w, v: bigint) => w.uint64(v),
);
/** An int64 that a number can hold: refused above 2^53. */
export const integer = varint(
  (r) => {
    const value = Number(r.int64());
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is too large`);
    return value;
  },
  (w, v: number) => w.int64(v),
);
export const float: Codec<number> = {
  wire: WireType.Bit32,
  read: (r) => r.float(),
  write: (w, v) => void w.float(v),
};
export const double: Codec<number> = {
  wire: WireType.Bit64,
  read: (r) => r.double(),
  write: (w, v) => void w.double(v),
};
export const string: Codec<string> = {
  wire: WireType.LengthDelimited,
  read: (r) => r.string(true),
  write: (w, v) => void w.string(v),
};
/** A view of the message's bytes, not a copy. */
export const bytes: Codec<Uint8Array> = {
  wire: WireType.LengthDelimited,
  read: (r) => r.bytes(),
  write: (w, v) => void w.bytes(v),
};

/** @param table a thunk, so that messages can contain each other */
export function message<M extends Message>(table: () => Table<M>): Codec<M> {
  return {
    wire: WireType.LengthDelimited,
    read: (reader, depth) => readMessage(table(), reader.bytes(), depth + 1),
    write(writer, value) {
      writer.fork();
      writeMessage(table(), writer, value);
      writer.join();
    },
  };
}

function expectWire(no: number, actual: WireType, expected: WireType): void {
  if (actual !== expected) throw new TypeError(`field ${no} has wire type ${actual}, not ${expected}`);
}

/** A field that may be absent; absent and default are told apart. */
export function optional<V>(no: number, codec: Codec<V>): Field<V | undefined> {
  return {
    no,
    empty: () => undefined,
    read(reader, wire, depth) {
      expectWire(no, wire, codec.wire);
      return codec.read(reader, depth);
    },
    write(writer, value) {
      if (value === undefined) return;
      writer.tag(no, codec.wire);
      codec.write(writer, value);
    },
  };
}

/** A string whose absence means the empty string. */
export function text(no: number): Field<string> {
  const field = optional(no, string);
  return {
    no,
    empty: () => '',
    read: (reader, wire, depth) => field.read(reader, wire, depth, undefined) ?? '',
    write: (writer, value) => field.write(writer, value === '' ? undefined : value),
  };
}

/** A repeated field. Reads packed and unpacked encodings alike, as the specification demands of parsers. */
export function repeated<V>(
  no: number,
  codec: Codec<V>,
  encoding: 'packed' | 'unpacked' = 'unpacked',
): Field<readonly V[]> {
  return {
    no,
    empty: () => [],
    read(reader, wire, depth, before) {
      // `before` is this decoder's own array, made by empty().
      const values = before as V[];
      if (wire === WireType.LengthDelimited && codec.wire !== WireType.LengthDelimited) {
        const packed = new BinaryReader(reader.bytes());
        while (packed.pos < packed.len) values.push(codec.read(packed, depth));
      } else {
        expectWire(no, wire, codec.wire);
        values.push(codec.read(reader, depth));
      }
      return values;
    },
    write(writer, values) {
      if (values.length === 0) return;
      if (encoding === 'packed') {
        writer.tag(no, WireType.LengthDelimited).fork();
        for (const value of values) codec.write(writer, value);
        writer.join();
        return;
      }
      for (const value of values) {
        writer.tag(no, codec.wire);
        codec.write(writer, value);
      }
    },
  };
}

type AnyFields = readonly (readonly [string, Field<unknown>])[];

/** A table's rows; its type was checked where it was written, the walk below is the same for all messages. */
const fieldsOf = <M extends Message>(table: Table<M>): AnyFields => Object.entries(table) as AnyFields;

/** @throws RangeError or TypeError where the bytes are not such a message */
export function readMessage<M extends Message>(table: Table<M>, bytes: Uint8Array, depth = 0): M {
  if (depth > MAX_DEPTH) throw new RangeError(`messages are nested more than ${MAX_DEPTH} deep`);
  const fields = fieldsOf(table);
  const byNumber = new Map(fields.map((entry) => [entry[1].no, entry]));
  const result: Record<string, unknown> = {};
  for (const [name, field] of fields) {
    const empty = field.empty();
    if (empty !== undefined) result[name] = empty;
  }
  const unknown: UnknownField[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    const entry = byNumber.get(no);
    if (entry === undefined) {
      unknown.push({ no, wire, bytes: reader.skip(wire, no) });
      continue;
    }
    const [name, field] = entry;
    result[name] = field.read(reader, wire, depth, result[name]);
  }
  if (unknown.length > 0) result['unknown'] = unknown;
  return result as unknown as M;
}

function writeMessage<M extends Message>(table: Table<M>, writer: BinaryWriter, value: M): void {
  for (const [name, field] of fieldsOf(table)) {
    field.write(writer, (value as Readonly<Record<string, unknown>>)[name]);
  }
  for (const { no, wire, bytes } of value.unknown ?? []) writer.tag(no, wire).raw(bytes);
}

export function encodeMessage<M extends Message>(table: Table<M>, value: M): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  writeMessage(table, writer, value);
  return writer.finish();
}
