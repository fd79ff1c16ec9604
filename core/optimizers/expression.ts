/**
 * Arithmetic on flat vectors, written once as data and run in more than one way: `interpret.ts` runs it in plain
 * JavaScript, a compiler to SIMD instructions runs it faster. Every operation rounds to float32, and IEEE 754 leaves
 * the result of none of them open: all ways give the same bits.
 */
export type UnaryOp =
  | 'sqrt'
  /** 1 for what is above zero, -1 for what is below; zeros and NaN stay as they are. */
  | 'sign'
  /** Denormals become 0; see {@link SMALLEST_NORMAL}. */
  | 'flush';
export type BinaryOp = 'add' | 'sub' | 'mul' | 'div';

export type Expression =
  /** The element of a vector, as it is before anything is written. */
  | { readonly kind: 'vector'; readonly name: string }
  /** A number that is the same for all elements. */
  | { readonly kind: 'constant'; readonly name: string }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly of: Expression }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: Expression; readonly right: Expression };

/**
 * The smallest normal float32, 2^-126. Arithmetic below it takes a slow path in the processor, up to 100 times slower,
 * and moving averages of gradients that stay zero would decay into that range and linger there.
 */
export const SMALLEST_NORMAL = 2 ** -126;

export const vector = (name: string): Expression => ({ kind: 'vector', name });
export const constant = (name: string): Expression => ({ kind: 'constant', name });
const unary =
  (op: UnaryOp) =>
  (of: Expression): Expression => ({ kind: 'unary', op, of });
const binary =
  (op: BinaryOp) =>
  (left: Expression, right: Expression): Expression => ({ kind: 'binary', op, left, right });

export const sqrt = unary('sqrt');
export const sign = unary('sign');
export const flush = unary('flush');
export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');

/** One value in the order of computation; operands are positions of earlier instructions. */
export type Instruction =
  | { readonly kind: 'vector'; readonly name: string }
  | { readonly kind: 'constant'; readonly name: string }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly of: number }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: number; readonly right: number };

/** What to compute for each element, ready to be run. */
export interface Elementwise {
  /** Names of all vectors read or written, each once. */
  readonly vectors: readonly string[];
  readonly constants: readonly string[];
  readonly instructions: readonly Instruction[];
  /** Stores, after all instructions: vector name and the position of its new value. */
  readonly writes: readonly (readonly [vector: string, value: number])[];
}

/** @param next vector → its new element; what occurs twice is computed once */
export function elementwise(next: Readonly<Record<string, Expression>>): Elementwise {
  const instructions: Instruction[] = [];
  const known = new Map<string, number>();
  const emit = (instruction: Instruction): number => {
    const key = JSON.stringify(instruction);
    const position = known.get(key) ?? instructions.push(instruction) - 1;
    known.set(key, position);
    return position;
  };
  const visit = (expression: Expression): number => {
    switch (expression.kind) {
      case 'unary':
        return emit({ ...expression, of: visit(expression.of) });
      case 'binary':
        return emit({ ...expression, left: visit(expression.left), right: visit(expression.right) });
      case 'vector':
      case 'constant':
        return emit(expression);
    }
  };
  const writes = Object.entries(next).map(([name, expression]) => [name, visit(expression)] as const);
  const named = (kind: 'vector' | 'constant') =>
    instructions.flatMap((each) => (each.kind === kind ? [each.name] : []));
  return {
    vectors: [...new Set([...named('vector'), ...Object.keys(next)])],
    constants: named('constant'),
    instructions,
    writes,
  };
}
