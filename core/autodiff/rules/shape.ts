/** Operators that move elements around: the gradient moves them back, adding where one was used twice. */
import { intAttribute, intsAttribute } from '../../onnx/attributes.ts';
import { inversePermutation, isStatic, positiveAxis, range, type Shape } from '../ops.ts';
import type { RuleTable } from '../rule.ts';
import { toInput } from './broadcast.ts';

/** Same elements in the same order: back to the input's shape. */
const sameElements: RuleTable[string] = (c) => {
  const x = c.inputs[0]!;
  return [() => c.ops.like(c.d, x, c.shape(x))];
};

/** Each input's part of the gradient; one Split for all of them where the sizes are known only at run time. */
const concat: RuleTable[string] = (c) => {
  const { ops, inputs } = c;
  const axis = positiveAxis(intAttribute(c.node, 'axis'), c.shape(c.outputs[0]!).length);
  const sizes: Shape = inputs.map((name) => c.shape(name)[axis] ?? 0);
  if (isStatic(sizes)) {
    let start = 0;
    const bounds = sizes.map((size) => [start, (start += size)] as const);
    return bounds.map(
      ([from, to]) =>
        () =>
          ops.op('Slice', [c.d, ops.ints([from]), ops.ints([to]), ops.ints([axis])]),
    );
  }
  let parts: readonly string[] | undefined;
  const split = () => {
    const lengths = inputs.map((name) => ops.dimensions(name, c.shape(name), [axis]));
    const vector = ops.op('Concat', lengths, { axis: 0 });
    return (parts ??= ops.graph.multi('Split', [c.d, vector], inputs.length, { axis }));
  };
  return inputs.map((_, i) => () => split()[i]!);
};

/** Copies are laid beside the axis they were made along, and added up. */
const tile: RuleTable[string] = (c) => [
  () => {
    const { ops } = c;
    const [x, repeats] = c.inputs as [string, string];
    const shape = c.shape(x);
    const axes = range(shape.length);
    const known = c.constant(repeats);
    const apart =
      known !== undefined && isStatic(shape)
        ? ops.ints(axes.flatMap((axis) => [Number(known.data[axis]), shape[axis]!]))
        : ops.reshape(
            ops.op('Concat', [ops.unsqueeze(repeats, [1]), ops.unsqueeze(ops.shapeVector(x, shape), [1])], {
              axis: 1,
            }),
            [-1],
          );
    const copies = ops.op('Reshape', [c.d, apart], { allowzero: 1 });
    return ops.sum(
      copies,
      axes.map((axis) => 2 * axis),
      false,
    );
  },
];

export const SHAPE: RuleTable = {
  Reshape: sameElements,
  Flatten: sameElements,
  Squeeze: sameElements,
  Unsqueeze: sameElements,
  Transpose: (c) => {
    const rank = c.shape(c.inputs[0]!).length;
    const perm = intsAttribute(c.node, 'perm') ?? range(rank).toReversed();
    return [() => c.ops.transpose(c.d, inversePermutation(perm))];
  },
  Expand: (c) => [() => toInput(c, 0, c.d)],
  Tile: tile,
  Concat: concat,
  Trilu: (c) => {
    const upper = intAttribute(c.node, 'upper', 1);
    return [() => c.ops.op('Trilu', [c.d, ...c.inputs.slice(1)], { upper })];
  },
  CumSum: (c) => {
    const exclusive = intAttribute(c.node, 'exclusive', 0);
    const reverse = 1 - intAttribute(c.node, 'reverse', 0);
    return [() => c.ops.op('CumSum', [c.d, c.inputs[1]!], { exclusive, reverse })];
  },
  /** Its own inverse. */
  ReverseSequence: (c) => {
    const batch_axis = intAttribute(c.node, 'batch_axis', 1);
    const time_axis = intAttribute(c.node, 'time_axis', 0);
    return [() => c.ops.op('ReverseSequence', [c.d, c.inputs[1]!], { batch_axis, time_axis })];
  },
};

/** Operators whose several outputs each carry a gradient. */
export const MULTIPLE_OUTPUTS: RuleTable = {
  Split: (c) => [
    () => {
      const parts = c.outputs.map((name, i) => c.gradients[i] ?? c.ops.zeros(name, c.shape(name), c.dtype));
      return c.ops.op('Concat', parts, { axis: intAttribute(c.node, 'axis', 0) });
    },
  ],
};
