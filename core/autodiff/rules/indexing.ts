/** Operators that pick elements or rows by index: gradients are put back where the values came from. */
import { intAttribute, stringAttribute } from '../../onnx/attributes.ts';
import { inversePermutation, positiveAxis, range, type Shape } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

/** ScatterND and GatherND take int64 only. */
const wide = (c: RuleContext, indices: string): string =>
  c.dtypeOf(indices) === 'I64' ? indices : c.ops.cast(indices, 'I64');

/** One slice that is known before training: the gradient with zeros around it. */
function padded(c: RuleContext, axis: number, index: number, dimension: number): string {
  const { ops, inputs } = c;
  const rank = c.shape(inputs[0]!).length;
  const isKept = c.shape(inputs[1]!).length === 1;
  const pads = range(2 * rank).map(() => 0);
  pads[axis] = index;
  pads[rank + axis] = dimension - 1 - index;
  return ops.op('Pad', [isKept ? c.d : ops.unsqueeze(c.d, [axis]), ops.ints(pads)]);
}

/** Rows are added up where an index occurs twice. The gathered axis is brought to the front and back again. */
const gather: RuleTable[string] = (c) => [
  () => {
    const { ops, dtype } = c;
    const [x, indices] = c.inputs as [string, string];
    const shape = c.shape(x);
    const rank = shape.length;
    const axis = positiveAxis(intAttribute(c.node, 'axis', 0), rank);
    const width = c.shape(indices).length;
    const dimension = shape[axis];
    const known = c.constant(indices);
    if (known?.data.length === 1 && width <= 1 && typeof dimension === 'number')
      return padded(c, axis, positiveAxis(Number(known.data[0]), dimension), dimension);

    const others = range(rank).filter((each) => each !== axis);
    const front = [axis, ...others];
    const updates =
      axis === 0
        ? c.d
        : ops.transpose(c.d, [
            ...range(width).map((i) => axis + i),
            ...range(axis),
            ...range(rank - axis - 1).map((i) => axis + width + i),
          ]);
    const zeros = ops.zeros(x, shape, dtype);
    const target = axis === 0 ? zeros : ops.transpose(zeros, front);
    const scattered = ops.op('ScatterND', [target, ops.unsqueeze(wide(c, indices), [-1]), updates], {
      reduction: 'add',
    });
    return axis === 0 ? scattered : ops.transpose(scattered, inversePermutation(front));
  },
];

const gatherElements: RuleTable[string] = (c) => [
  () => {
    const [x, indices] = c.inputs as [string, string];
    const axis = intAttribute(c.node, 'axis', 0);
    const zeros = c.ops.zeros(x, c.shape(x), c.dtype);
    return c.ops.op('ScatterElements', [zeros, indices, c.d], { axis, reduction: 'add' });
  },
];

/**
 * Indices below batch axes with the batch axes' own coordinates before them, as without batch axes.
 * @param shape of the indices
 */
function withCoordinates(c: RuleContext, indices: string, shape: Shape, batchAxes: number): string {
  const { ops } = c;
  const scalar = (value: number) => ops.reshape(ops.ints([value]), []);
  const last = shape.length - 1;
  const column = ops.op('Concat', [ops.dimensions(indices, shape, range(last)), ops.ints([1])], { axis: 0 });
  const coordinates = range(batchAxes).map((axis) => {
    const length = ops.reshape(ops.dimensions(indices, shape, [axis]), []);
    const along = ops.op('Range', [scalar(0), length, scalar(1)]);
    const around = range(last - axis).map(() => 1);
    return ops.op('Expand', [ops.reshape(along, [-1, ...around]), column]);
  });
  return ops.op('Concat', [...coordinates, indices], { axis: -1 });
}

const gatherND: RuleTable[string] = (c) => [
  () => {
    const [x, indices] = c.inputs as [string, string];
    const batchAxes = intAttribute(c.node, 'batch_dims', 0);
    const full = batchAxes === 0 ? indices : withCoordinates(c, indices, c.shape(indices), batchAxes);
    const zeros = c.ops.zeros(x, c.shape(x), c.dtype);
    return c.ops.op('ScatterND', [zeros, full, c.d], { reduction: 'add' });
  },
];

/** Whether updates are added to the data; where not, they replace it. */
function isAdding(c: RuleContext): boolean {
  const reduction = stringAttribute(c.node, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add')
    throw c.unsupported(`reduction ${reduction}: only none and add are supported`);
  return reduction === 'add';
}

const zeroUpdates = (c: RuleContext): string => {
  const updates = c.inputs[2]!;
  return c.ops.zeros(updates, c.shape(updates), c.dtype);
};

export const INDEXING: RuleTable = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: (c) => {
    const indices = c.inputs[1]!;
    const axis = intAttribute(c.node, 'axis', 0);
    const isSum = isAdding(c);
    return [
      () => (isSum ? c.d : c.ops.op('ScatterElements', [c.d, indices, zeroUpdates(c)], { axis })),
      undefined,
      () => c.ops.op('GatherElements', [c.d, indices], { axis }),
    ];
  },
  ScatterND: (c) => {
    const indices = c.inputs[1]!;
    const isSum = isAdding(c);
    return [
      () => (isSum ? c.d : c.ops.op('ScatterND', [c.d, indices, zeroUpdates(c)])),
      undefined,
      () => c.ops.op('GatherND', [c.d, indices]),
    ];
  },
  /** The values; the indices, which are exposed, say where each lay. */
  TopK: (c) => [
    () => {
      const x = c.inputs[0]!;
      const zeros = c.ops.zeros(x, c.shape(x), c.dtype);
      const axis = intAttribute(c.node, 'axis', -1);
      return c.ops.op('ScatterElements', [zeros, c.expose(1), c.d], { axis });
    },
  ],
};
