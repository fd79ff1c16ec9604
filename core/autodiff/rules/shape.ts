/** Operators that move elements around: the gradient moves them back, adding where one was used twice. */
import { intAttribute, intsAttribute } from '../../onnx/attributes.ts';
import { inversePermutation, positiveAxis, range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

/** Same elements in the same order: back to the input's shape. */
const sameElements: RuleTable[string] = (c) => {
  const x = c.inputs[0]!;
  return [() => c.ops.like(c.d, x, c.shape(x))];
};

/** Axes starts, ends and steps of a Slice, the axes positive, ends as given. */
function slices(c: RuleContext) {
  const rank = c.shape(c.inputs[0]!).length;
  const starts = c.integers(1) ?? [];
  const ends = c.integers(2) ?? [];
  const axes = c.integers(3) ?? range(starts.length);
  const steps = c.integers(4) ?? starts.map(() => 1);
  return starts.map((start, i) => ({
    start,
    end: ends[i] ?? 0,
    axis: positiveAxis(axes[i] ?? 0, rank),
    step: steps[i] ?? 1,
  }));
}

/** How many elements a slice leaves out before and after: the zeros its gradient gets there. */
function margins(
  c: RuleContext,
  { start, end, axis, step }: ReturnType<typeof slices>[number],
): [before: number, after: number] {
  if (step !== 1) throw c.unsupported(`step ${step} on axis ${axis}: only 1 is supported`);
  const dimension = c.shape(c.inputs[0]!)[axis] ?? 0;
  if (typeof dimension === 'number') {
    const clamp = (index: number) => Math.min(Math.max(index < 0 ? index + dimension : index, 0), dimension);
    return [clamp(start), dimension - Math.max(clamp(end), clamp(start))];
  }
  // A symbolic axis: the number left out is known where it is counted from the end it lies at.
  const isOpenEnd = end >= 2 ** 31 - 1;
  if (start >= 0 && (isOpenEnd || end < 0)) return [start, isOpenEnd ? 0 : -end];
  throw c.unsupported(
    `its axis ${axis} has the symbolic dimension ${dimension}, so what it leaves out is not known`,
  );
}

const slice: RuleTable[string] = (c) => [
  () => {
    const rank = c.shape(c.inputs[0]!).length;
    const pads = range(2 * rank).map(() => 0);
    for (const each of slices(c)) {
      const [before, after] = margins(c, each);
      pads[each.axis] = before;
      pads[rank + each.axis] = after;
    }
    return c.ops.op('Pad', [c.d, c.ops.ints(pads)]);
  },
];

/** Rows are added up where an index occurs twice. The gathered axis is brought to the front and back again. */
const gather: RuleTable[string] = (c) => [
  () => {
    const { ops, dtype } = c;
    const [x, indices] = c.inputs as [string, string];
    const shape = c.shape(x);
    const rank = shape.length;
    const axis = positiveAxis(intAttribute(c.node, 'axis', 0), rank);
    const width = c.shape(indices).length;
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
    const scattered = ops.op('ScatterND', [target, ops.unsqueeze(indices, [-1]), updates], {
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

/** Sizes of the inputs along the axis, and one Split for all of them. */
const concat: RuleTable[string] = (c) => {
  const rank = c.shape(c.outputs[0]!).length;
  const axis = positiveAxis(intAttribute(c.node, 'axis'), rank);
  let parts: readonly string[] | undefined;
  const split = () => {
    const sizes = c.inputs.map((name) => {
      const dimension = c.shape(name)[axis];
      if (typeof dimension !== 'number')
        throw c.unsupported(
          `it joins along axis ${axis}, where ${name} has the symbolic dimension ${dimension}`,
        );
      return dimension;
    });
    return (parts ??= c.ops.graph.multi('Split', [c.d, c.ops.ints(sizes)], sizes.length, { axis }));
  };
  return c.inputs.map((_, i) => () => split()[i]!);
};

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
  Expand: (c) => [() => c.ops.unbroadcast(c.d, c.shape(c.outputs[0]!), c.shape(c.inputs[0]!))],
  Concat: concat,
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
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
