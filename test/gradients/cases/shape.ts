import { type Case, int, ints, param } from './operands.ts';

export const SHAPE: readonly Case[] = [
  { op: 'Reshape', operands: [param(2, 6), int(3, -1)] },
  { op: 'Flatten', operands: [param(2, 3, 2)], attributes: { axis: 1 } },
  { op: 'Squeeze', operands: [param(2, 1, 3), int(1)] },
  { op: 'Unsqueeze', operands: [param(2, 3), int(0, 3)] },
  { op: 'Transpose', operands: [param(2, 3, 2)], attributes: { perm: [2, 0, 1] } },
  { op: 'Transpose', about: 'reversed by default', operands: [param(2, 3, 2)] },
  { op: 'Expand', operands: [param(3, 1), int(2, 3, 4)] },
  { op: 'Concat', operands: [param(2, 1), param(2, 3)], attributes: { axis: -1 } },
  { op: 'Slice', operands: [param(4, 5), int(1, -3), int(3, -1), int(0, 1)] },
  { op: 'Slice', about: 'ends beyond the tensor', operands: [param(4), int(-9), int(99)] },
  { op: 'Gather', operands: [param(4, 2), ints([2, 3], 0, 1, 1, 3, -1, 0)] },
  { op: 'Gather', about: 'one row', operands: [param(4, 2), ints([], 2)] },
  {
    op: 'Gather',
    about: 'inner axis',
    operands: [param(2, 4, 3), ints([2, 2], 1, 1, 0, 3)],
    attributes: { axis: 1 },
  },
  { op: 'Gather', about: 'last axis, one', operands: [param(2, 4), ints([], 1)], attributes: { axis: -1 } },
  { op: 'GatherElements', operands: [param(3, 2), ints([2, 2], 0, 2, 2, 2)], attributes: { axis: 0 } },
  { op: 'Split', operands: [param(2, 5), int(2, 3)], attributes: { axis: 1 }, outputs: 2 },
  { op: 'Split', about: 'equal', operands: [param(4, 2)], attributes: { num_outputs: 2 }, outputs: 2 },
];
