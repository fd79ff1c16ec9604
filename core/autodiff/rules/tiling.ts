/** Windows that lie side by side: their elements, and one value for each of them. */
import { elementCount } from '../../tensors/tensor.ts';
import { range } from '../ops.ts';
import type { RuleContext } from '../rule.ts';
import type { Extents, Window } from './window.ts';

export interface Tiling {
  /** Repeats each value over its window. */
  readonly spread: (values: string) => string;
  /** Sums each window. */
  readonly sums: (elements: string) => string;
  /** 1 where an element equals its window's value, which none exceeds; 0 elsewhere. */
  readonly attains: (elements: string, values: string) => string;
  /** From images `[N·C, 1, …]` to the form that the others take, and back. */
  readonly elements: Form;
  readonly values: Form;
}

export interface Form {
  readonly of: (image: string) => string;
  readonly toImage: (value: string) => string;
}

/** Elements of a row of windows above which a product with zeros and ones takes longer than what it stands for. */
const WIDEST_STRIPE = 128;

export function tilingOf(c: RuleContext, window: Window): Tiling {
  const { kernel, output } = window;
  const covered = output.map((size, axis) => size * kernel[axis]!);
  const isNarrow = kernel[0]! * covered[1]! <= WIDEST_STRIPE;
  return isNarrow ? stripeTiling(c, window, covered) : imageTiling(c, window);
}

/** As images, with operators for images. */
function imageTiling({ ops, dtype }: RuleContext, { kernel }: Window): Tiling {
  const spread = (values: string) => {
    const data = Float32Array.of(1, 1, ...kernel);
    const scales = ops.graph.constant({ dtype: 'F32', shape: [data.length], data });
    return ops.op('Resize', [values, '', scales], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
  };
  const same: Form = { of: (image) => image, toImage: (value) => value };
  return {
    spread,
    sums(elements) {
      const mean = ops.op('AveragePool', [elements], { kernel_shape: kernel, strides: kernel });
      return ops.mul(mean, ops.scalar(dtype, elementCount(kernel)));
    },
    attains: (elements, values) => ops.indicator(ops.op('Equal', [elements, spread(values)]), dtype),
    elements: same,
    values: same,
  };
}

/**
 * As rows of a matrix, one for each row of windows, and products with a matrix of zeros and ones: for small images
 * quicker than ONNX Runtime's AveragePool and Resize, and a difference comes with the product.
 */
function stripeTiling({ ops }: RuleContext, { kernel, output }: Window, covered: Extents): Tiling {
  const [rows, columns] = kernel as [number, number];
  const across = output[1]!;
  const width = across * columns;
  const data = new Float32Array(rows * width * across);
  for (const position of range(rows * width))
    data[position * across + Math.floor((position % width) / columns)] = 1;
  const membership = ops.graph.constant({ dtype: 'F32', shape: [rows * width, across], data });
  const form = (size: number, extents: Extents): Form => ({
    of: (image) => ops.reshape(image, [-1, size]),
    toImage: (value) => ops.reshape(value, [-1, 1, ...extents]),
  });
  return {
    spread: (values) => ops.op('Gemm', [values, membership], { transB: 1 }),
    sums: (elements) => ops.op('MatMul', [elements, membership]),
    attains(elements, values) {
      const alpha = { float: -1 };
      // Exact: one product is with 1, all others with 0.
      const difference = ops.op('Gemm', [values, membership, elements], { alpha, transB: 1 });
      return ops.isZero(difference);
    },
    elements: form(rows * width, covered),
    values: form(across, output),
  };
}
