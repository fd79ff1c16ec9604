/**
 * WebAssembly modules of one exported function, put together from instructions (webassembly.github.io/spec/core/binary),
 * rather than shipped as opaque binaries: what is assembled is the source.
 */

export const I32 = 0x7f;
export const F32 = 0x7d;
export const F64 = 0x7c;
const V128 = 0x7b;

export type Code = readonly number[];

/** One after the other. */
export const sequence = (...parts: readonly Code[]): Code => parts.flat();

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

/** An instruction of the 128-bit vector extension. */
const simd = (opcode: number, ...immediates: number[]): Code => [0xfd, ...leb(opcode), ...immediates];
/** Aligned to 2^4 bytes. */
const ALIGNED = 4;

export const local = {
  get: (index: number): Code => [0x20, ...leb(index)],
  set: (index: number): Code => [0x21, ...leb(index)],
};

export const i32 = {
  /** Non-negative and below 64. */
  const: (value: number): Code => [0x41, value],
  add: [0x6a] as Code,
  ltU: [0x49] as Code,
};

export const v128 = {
  /** Takes the address. */
  load: (offset = 0) => simd(0x00, ALIGNED, ...leb(offset)),
  /** Takes the address and the value. */
  store: simd(0x0b, ALIGNED, 0),
  /** One 32-bit pattern four times. */
  const32: (bits: number) => simd(0x0c, ...Array.from({ length: 4 }, () => littleEndian(bits)).flat()),
  and: simd(0x4e),
  /** Takes a and b; a where b is 0. */
  andnot: simd(0x4f),
  or: simd(0x50),
  /** Takes a, b and a mask; a where the mask is 1, b elsewhere. */
  bitselect: simd(0x52),
  /** Takes a and b; the upper two 32-bit lanes of a, then those of b. */
  upperHalves: simd(0x0d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
};

export const f32x4 = {
  splat: simd(0x13),
  lt: simd(0x43),
  gt: simd(0x44),
  abs: simd(0xe0),
  sqrt: simd(0xe3),
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
};

export const f64x2 = {
  promoteLow: simd(0x5f),
  extractLane: (lane: number) => simd(0x21, lane),
  add: simd(0xf0),
  mul: simd(0xf2),
};

export const f64 = { add: [0xa0] as Code };

/** The body once, and again while it leaves something other than 0. */
export const repeat = (...body: readonly Code[]): Code => [0x03, 0x40, ...body.flat(), 0x0d, 0x00, 0x0b];

/** Magic number and version. */
const HEADER = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

export interface FunctionSource {
  /** Value types of the parameters: locals 0, 1, … */
  readonly parameters: readonly number[];
  /** Value types of the results. */
  readonly results: readonly number[];
  /** How many vectors it keeps in locals, after the parameters. */
  readonly vectors: number;
  readonly body: Code;
}

/** @returns a module that imports `env.memory` and exports the function as `run` */
export function assemble({ parameters, results, vectors, body }: FunctionSource): Uint8Array<ArrayBuffer> {
  const code = [...(vectors === 0 ? [0] : [1, ...leb(vectors), V128]), ...body, 0x0b];
  return new Uint8Array([
    ...HEADER,
    ...section(1, [1, 0x60, ...counted(parameters), ...counted(results)]),
    ...section(2, [1, ...name('env'), ...name('memory'), 0x02, 0x00, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('run'), 0x00, 0]),
    ...section(10, [1, ...counted(code)]),
  ]);
}

const counted = (bytes: readonly number[]) => [...leb(bytes.length), ...bytes];
const section = (id: number, bytes: readonly number[]) => [id, ...counted(bytes)];
const name = (text: string) => counted([...new TextEncoder().encode(text)]);
const littleEndian = (bits: number) => [0, 8, 16, 24].map((shift) => (bits >>> shift) & 0xff);
