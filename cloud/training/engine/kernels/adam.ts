/**
 * The Adam update of core/optimizers/adam.ts as a WebAssembly function with 128-bit SIMD: four elements at a time, the
 * same float32 operations in the same order, hence the same bits (IEEE 754 leaves none of them open), several times
 * as fast. At batch sizes of a few dozen, the scalar loop takes as long as the gradients.
 *
 * Assembled here, instruction by instruction (webassembly.github.io/spec/core/binary), rather than shipped as an
 * opaque binary: the list below is the source.
 */

import { wasm, type WasmMemory } from './webassembly.ts';

/** Byte offsets into the memory, and the number of vectors of four; then the constants of the step. */
export type AdamKernel = (
  parameters: number,
  gradient: number,
  mean: number,
  square: number,
  parametersEnd: number,
  beta1: number,
  rest1: number,
  beta2: number,
  rest2: number,
  rate: number,
  scale: number,
  epsilon: number,
) => void;

const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;

/** Parameters of the function, in order. */
const P = 0;
const G = 1;
const M = 2;
const V = 3;
const END = 4;
const FIRST_CONSTANT = 5;
const CONSTANTS = 7;
/** Locals after the parameters: the constants four times over, then three vectors. */
const FIRST_SPLAT = FIRST_CONSTANT + CONSTANTS;
const BETA1 = FIRST_SPLAT;
const REST1 = FIRST_SPLAT + 1;
const BETA2 = FIRST_SPLAT + 2;
const REST2 = FIRST_SPLAT + 3;
const RATE = FIRST_SPLAT + 4;
const SCALE = FIRST_SPLAT + 5;
const EPSILON = FIRST_SPLAT + 6;
const GRADIENT = FIRST_SPLAT + CONSTANTS;
const MEAN = GRADIENT + 1;
const SQUARE = GRADIENT + 2;

const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const tee = (local: number) => [0x22, local];
/** Aligned to 2^4 bytes, offset 0. */
const load = (pointer: number) => [...get(pointer), 0xfd, 0x00, 4, 0];
const store = [0xfd, 0x0b, 4, 0];
const splat = [0xfd, 0x13];
const sqrt = [0xfd, 0xe3, 0x01];
const add = [0xfd, 0xe4, 0x01];
const sub = [0xfd, 0xe5, 0x01];
const mul = [0xfd, 0xe6, 0x01];
const div = [0xfd, 0xe7, 0x01];
const advance = (pointer: number) => [...get(pointer), 0x41, 16, 0x6a, ...set(pointer)];

const CODE: readonly (readonly number[])[] = [
  ...Array.from({ length: CONSTANTS }, (_, i) => [
    ...get(FIRST_CONSTANT + i),
    ...splat,
    ...set(FIRST_SPLAT + i),
  ]),
  [0x03, 0x40], // loop
  [...load(G), ...set(GRADIENT)],
  // mean = beta1·m + rest1·g
  [...get(M), ...get(BETA1), ...load(M), ...mul, ...get(REST1), ...get(GRADIENT), ...mul, ...add],
  [...tee(MEAN), ...store],
  // square = beta2·v + (rest2·g)·g
  [...get(V), ...get(BETA2), ...load(V), ...mul, ...get(REST2), ...get(GRADIENT), ...mul],
  [...get(GRADIENT), ...mul, ...add, ...tee(SQUARE), ...store],
  // p − (rate·mean)/(√square·scale + epsilon)
  [...get(P), ...load(P), ...get(RATE), ...get(MEAN), ...mul, ...get(SQUARE), ...sqrt],
  [...get(SCALE), ...mul, ...get(EPSILON), ...add, ...div, ...sub, ...store],
  ...[P, G, M, V].map(advance),
  [...get(P), ...get(END), 0x49, 0x0d, 0], // again while p < end
  [0x0b], // end of the loop
  [0x0b], // end of the function
];

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}
const counted = (bytes: readonly number[]) => [...leb(bytes.length), ...bytes];
const section = (id: number, bytes: readonly number[]) => [id, ...counted(bytes)];
const name = (text: string) => counted([...new TextEncoder().encode(text)]);

const TYPES = [I32, I32, I32, I32, I32, ...Array.from({ length: CONSTANTS }, () => F32)];
const LOCALS = [1, CONSTANTS + 3, V128];
const MODULE = new Uint8Array([
  0x00,
  0x61,
  0x73,
  0x6d,
  1,
  0,
  0,
  0,
  ...section(1, [1, 0x60, ...counted(TYPES), 0]),
  ...section(2, [1, ...name('env'), ...name('memory'), 0x02, 0x00, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...name('adam'), 0x00, 0]),
  ...section(10, [1, ...counted([...LOCALS, ...CODE.flat()])]),
]);

/** @param memory what the byte offsets point into; regions begin at multiples of 16 and are as long */
export function adamKernel(memory: WasmMemory): AdamKernel {
  const { exports } = new wasm.Instance(new wasm.Module(MODULE), { env: { memory } });
  return exports['adam'] as AdamKernel;
}
