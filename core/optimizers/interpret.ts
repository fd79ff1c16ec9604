/** Runs elementwise arithmetic in plain JavaScript: what defines the bits, wherever a faster way is not at hand. */
import {
  type BinaryOp,
  type Elementwise,
  type Instruction,
  SMALLEST_NORMAL,
  type UnaryOp,
} from './expression.ts';

export type Vectors = Readonly<Record<string, Float32Array>>;
export type Constants = Readonly<Record<string, number>>;

/** Elements taken at a time: few enough that all intermediate values stay in the processor's first cache. */
const BLOCK = 512;

/**
 * Storing into a Float32Array rounds. The operation before it is in float64, and its 53 bits are enough for the two
 * roundings to be one: Figueroa 1995, "When is double rounding innocuous?"
 */
const BINARY: Readonly<
  Record<BinaryOp, (out: Float32Array, a: Float32Array, b: Float32Array, count: number) => void>
> = {
  add(out, a, b, count) {
    for (let i = 0; i < count; i++) out[i] = a[i]! + b[i]!;
  },
  sub(out, a, b, count) {
    for (let i = 0; i < count; i++) out[i] = a[i]! - b[i]!;
  },
  mul(out, a, b, count) {
    for (let i = 0; i < count; i++) out[i] = a[i]! * b[i]!;
  },
  div(out, a, b, count) {
    for (let i = 0; i < count; i++) out[i] = a[i]! / b[i]!;
  },
};

const UNARY: Readonly<Record<UnaryOp, (out: Float32Array, a: Float32Array, count: number) => void>> = {
  sqrt(out, a, count) {
    for (let i = 0; i < count; i++) out[i] = Math.sqrt(a[i]!);
  },
  sign(out, a, count) {
    for (let i = 0; i < count; i++) out[i] = Math.sign(a[i]!);
  },
  flush(out, a, count) {
    for (let i = 0; i < count; i++) out[i] = Math.abs(a[i]!) < SMALLEST_NORMAL ? 0 : a[i]!;
  },
};

/**
 * @returns a function that reads and writes the given vectors, all of one length; constants are rounded to float32
 */
export function interpreter(program: Elementwise): (vectors: Vectors, constants: Constants) => void {
  const { instructions, writes } = program;
  // Made at the first run, for no longer vectors than there are.
  let registers: Float32Array[] = [];
  return (vectors, constants) => {
    const length = writes[0] === undefined ? 0 : vectors[writes[0][0]]!.length;
    const size = Math.min(length, BLOCK);
    if ((registers[0]?.length ?? 0) < size) registers = instructions.map(() => new Float32Array(size));
    for (const [i, instruction] of instructions.entries()) {
      if (instruction.kind === 'constant') registers[i]!.fill(constants[instruction.name]!);
    }
    for (let start = 0; start < length; start += size) {
      const end = Math.min(start + size, length);
      for (const [i, instruction] of instructions.entries()) {
        if (instruction.kind === 'vector') registers[i]!.set(vectors[instruction.name]!.subarray(start, end));
        else compute(registers, i, instruction, end - start);
      }
      for (const [name, value] of writes)
        vectors[name]!.set(registers[value]!.subarray(0, end - start), start);
    }
  };
}

function compute(registers: Float32Array[], at: number, instruction: Instruction, count: number): void {
  const out = registers[at]!;
  if (instruction.kind === 'unary') UNARY[instruction.op](out, registers[instruction.of]!, count);
  else if (instruction.kind === 'binary')
    BINARY[instruction.op](out, registers[instruction.left]!, registers[instruction.right]!, count);
}
