/** One WebAssembly memory for all vectors of a training run, so that kernels can work on them where they are. */
import { Fault } from '../../../../core/errors.ts';
import { wasm, type WasmMemory } from './webassembly.ts';

/** Bytes that a SIMD instruction moves. */
export const VECTOR = 16;
/** Regions begin at multiples of this many bytes, a cache line, and are as long. */
const ALIGNMENT = 64;
/** Bytes in a page of WebAssembly memory, and how many pages 32-bit addresses reach. */
const PAGE = 65_536;
const MOST_PAGES = 65_536;

export interface Arena {
  readonly memory: WasmMemory;
  /** Bytes from one region to the next. What lies behind a region's last element is zero. */
  readonly stride: number;
  /** In bytes. */
  readonly offset: (region: string) => number;
  readonly view: (region: string) => Float32Array<ArrayBuffer>;
}

/**
 * Zeros.
 * @param length of each region, in float32 elements
 * @throws Fault `unprocessable` where 4 GiB do not hold them
 */
export function createArena(regions: readonly string[], length: number): Arena {
  const stride = Math.max(1, Math.ceil((length * 4) / ALIGNMENT)) * ALIGNMENT;
  const pages = Math.ceil((stride * regions.length) / PAGE);
  if (pages > MOST_PAGES)
    throw new Fault(
      'unprocessable',
      `${length} parameters and their ${regions.length - 1} companions (${regions.slice(1).join(', ')}) do not fit 4 GiB`,
      { field: 'model' },
    );
  const memory = new wasm.Memory({ initial: pages });
  const offset = (region: string) => regions.indexOf(region) * stride;
  return {
    memory,
    stride,
    offset,
    view: (region) => new Float32Array(memory.buffer, offset(region), length),
  };
}

/** @returns the module's function */
export function instantiate(
  module: Uint8Array<ArrayBuffer>,
  memory: WasmMemory,
): (...numbers: readonly number[]) => unknown {
  const { exports } = new wasm.Instance(new wasm.Module(module), { env: { memory } });
  return exports['run'] as ReturnType<typeof instantiate>;
}
