/** Matrix products. */
import { floatAttribute, intAttribute } from '../../onnx/attributes.ts';
import type { Shape } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

/** Y = α·A'·B' + β·C, where ' transposes or not: dA' = α·dY·B'ᵀ and dB' = α·A'ᵀ·dY. */
function gemm(c: RuleContext): ReturnType<RuleTable[string]> {
  const { ops, d, node } = c;
  const [a, b, bias = ''] = c.inputs as [string, string, string?];
  const transA = intAttribute(node, 'transA', 0);
  const transB = intAttribute(node, 'transB', 0);
  const alpha = { float: floatAttribute(node, 'alpha', 1) };
  const beta = floatAttribute(node, 'beta', 1);
  return [
    () =>
      transA === 1
        ? ops.op('Gemm', [b, d], { alpha, transA: transB, transB: 1 })
        : ops.op('Gemm', [d, b], { alpha, transB: 1 - transB }),
    () =>
      transB === 1
        ? ops.op('Gemm', [d, a], { alpha, transA: 1, transB: transA })
        : ops.op('Gemm', [a, d], { alpha, transA: 1 - transA }),
    () => {
      const summed = ops.unbroadcast(d, c.dtype, c.shape(c.outputs[0]!), c.shape(bias), bias);
      return beta === 1 ? summed : ops.mul(summed, ops.scalar(c.dtype, beta));
    },
  ];
}

/** Stacked matrices times one matrix is one product of all their rows: two Gemms, no stack of partial sums. */
function rowsTimesMatrix(c: RuleContext, inner: number, columns: number): ReturnType<RuleTable[string]> {
  const { ops } = c;
  const [a, b] = c.inputs as [string, string];
  const rows = (value: string, width: number) => ops.reshape(value, [-1, width]);
  return [
    () => ops.like(ops.op('Gemm', [rows(c.d, columns), b], { transB: 1 }), a, c.shape(a)),
    () => ops.op('Gemm', [rows(a, inner), rows(c.d, columns)], { transA: 1 }),
  ];
}

/** The general product (numpy.matmul): batch dimensions broadcast, one-dimensional operands gain an axis. */
function matmul(c: RuleContext): ReturnType<RuleTable[string]> {
  const { ops } = c;
  const [a, b] = c.inputs as [string, string];
  const [shapeA, shapeB] = [c.shape(a), c.shape(b)];
  const [inner, columns] = shapeB;
  if (shapeA.length > 2 && shapeB.length === 2 && typeof inner === 'number' && typeof columns === 'number')
    return rowsTimesMatrix(c, inner, columns);

  // With the axis that numpy.matmul adds to a vector and takes away from the product.
  const isRow = shapeA.length === 1;
  const isColumn = shapeB.length === 1;
  const wideA: Shape = isRow ? [1, ...shapeA] : shapeA;
  const wideB: Shape = isColumn ? [...shapeB, 1] : shapeB;
  const wide = (value: string, axes: readonly number[]) =>
    axes.length === 0 ? value : ops.unsqueeze(value, axes);
  const left = () => wide(a, isRow ? [0] : []);
  const right = () => wide(b, isColumn ? [1] : []);
  const d = () => wide(c.d, [...(isRow ? [-2] : []), ...(isColumn ? [-1] : [])]);
  const rank = Math.max(wideA.length, wideB.length);
  const shapeY = c.shape(c.outputs[0]!);
  const batch = shapeY.slice(0, rank - 2);

  /** @param operand as it was multiplied, with the axis a vector gains */
  const down = (gradient: string, operand: string, matrix: Shape, of: string, shape: Shape) => {
    const full = [...batch, ...matrix.slice(-2)];
    const summed = ops.unbroadcast(gradient, c.dtype, full, matrix, operand);
    return matrix.length === shape.length ? summed : ops.like(summed, of, shape);
  };
  return [
    () => down(ops.op('MatMul', [d(), ops.swap(right(), wideB.length)]), left(), wideA, a, shapeA),
    () => down(ops.op('MatMul', [ops.swap(left(), wideA.length), d()]), right(), wideB, b, shapeB),
  ];
}

export const LINEAR: RuleTable = { Gemm: gemm, MatMul: matmul };
