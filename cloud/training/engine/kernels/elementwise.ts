/**
 * Elementwise arithmetic as WebAssembly with 128-bit SIMD: four elements at a time, the float32 operations of the
 * description in its order, hence the bits of core/optimizers/interpret.ts, several times as fast. At batch sizes of
 * a few dozen, an optimizer's scalar loop takes as long as the gradients.
 */
import {
  type BinaryOp,
  type Elementwise,
  type Instruction,
  SMALLEST_NORMAL,
  type UnaryOp,
} from '../../../../core/optimizers/expression.ts';
import type { Constants } from '../../../../core/optimizers/interpret.ts';
import { assemble, type Code, F32, f32x4, I32, i32, local, repeat, sequence, v128 } from './assembler.ts';
import { type Arena, instantiate, VECTOR } from './memory.ts';

const SIGN_BIT = 0x8000_0000;
const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!;

/** Takes the operands on the stack. */
const BINARY: Readonly<Record<BinaryOp, Code>> = {
  add: f32x4.add,
  sub: f32x4.sub,
  mul: f32x4.mul,
  div: f32x4.div,
};

/** @param x what pushes the operand @param literal what pushes a 32-bit pattern four times */
const UNARY: Readonly<Record<UnaryOp, (x: Code, literal: (bits: number) => Code) => Code>> = {
  sqrt: (x) => sequence(x, f32x4.sqrt),
  // 1 with the sign of x, where |x| > 0; else x: zeros and NaN.
  sign: (x, literal) =>
    sequence(
      sequence(literal(bitsOf(1)), x, literal(SIGN_BIT), v128.and, v128.or),
      x,
      sequence(x, f32x4.abs, literal(0), f32x4.gt),
      v128.bitselect,
    ),
  flush: (x, literal) =>
    sequence(x, sequence(x, f32x4.abs, literal(bitsOf(SMALLEST_NORMAL)), f32x4.lt), v128.andnot),
};

/** @returns a function that reads and writes the arena's regions of the vectors' names */
export function elementwiseKernel(program: Elementwise, arena: Arena): (constants: Constants) => void {
  const run = instantiate(assembleElementwise(program), arena.memory);
  const starts = program.vectors.map((vector) => arena.offset(vector));
  const end = starts[0]! + arena.stride;
  return (constants) => {
    run(...starts, end, ...program.constants.map((name) => constants[name]!));
  };
}

/**
 * The function's parameters are the byte offset of each vector, multiples of 16; where the first one ends; and the
 * constants. The last elements may reach into padding.
 */
function assembleElementwise({
  vectors,
  constants,
  instructions,
  writes,
}: Elementwise): Uint8Array<ArrayBuffer> {
  const end = vectors.length;
  const firstConstant = end + 1;
  const firstValue = firstConstant + constants.length;
  const firstLiteral = firstValue + instructions.length;
  const pointer = (vector: string) => local.get(vectors.indexOf(vector));
  const value = (position: number) => local.get(firstValue + position);
  // What is the same for all elements is put into locals before the loop.
  const literals: number[] = [];
  const literal = (bits: number) => {
    if (!literals.includes(bits)) literals.push(bits);
    return local.get(firstLiteral + literals.indexOf(bits));
  };
  const compute = (instruction: Instruction): Code => {
    switch (instruction.kind) {
      case 'vector':
        return sequence(pointer(instruction.name), v128.load());
      case 'constant':
        return sequence(local.get(firstConstant + constants.indexOf(instruction.name)), f32x4.splat);
      case 'unary':
        return UNARY[instruction.op](value(instruction.of), literal);
      case 'binary':
        return sequence(value(instruction.left), value(instruction.right), BINARY[instruction.op]);
    }
  };
  const code = (areConstants: boolean) =>
    instructions.flatMap((instruction, i) =>
      (instruction.kind === 'constant') === areConstants
        ? [...compute(instruction), ...local.set(firstValue + i)]
        : [],
    );
  const loop = repeat(
    code(false),
    ...writes.map(([vector, position]) => sequence(pointer(vector), value(position), v128.store)),
    ...vectors.map((_, i) => sequence(local.get(i), i32.const(VECTOR), i32.add, local.set(i))),
    sequence(local.get(0), local.get(end), i32.ltU),
  );
  const setLiterals = literals.map((bits, i) => sequence(v128.const32(bits), local.set(firstLiteral + i)));
  return assemble({
    parameters: [...vectors.map(() => I32), I32, ...constants.map(() => F32)],
    results: [],
    vectors: instructions.length + literals.length,
    body: sequence(...setLiterals, code(true), loop),
  });
}
