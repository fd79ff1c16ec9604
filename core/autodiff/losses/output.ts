/** A loss the model computes itself: its gradient with respect to itself is 1, and it counts the rows of the batch. */
import type { LossOf } from '../../contracts/loss.ts';
import { elementCount } from '../../tensors/tensor.ts';
import type { Loss } from './loss.ts';
import { refusal, show } from './shapes.ts';

export const outputLoss: Loss<LossOf<'output'>> = {
  activations: [],

  check(_, { name, dtype, shape }) {
    const isScalar = shape.every((dimension) => dimension === 1);
    if (!isScalar || (dtype !== 'F32' && dtype !== 'F64'))
      throw refusal('output', `${name} is ${dtype} ${show(shape)}: a loss is a floating-point scalar`);
  },

  rules: () => [],

  write(ops, _, { output, data }) {
    const { name, dtype, shape } = output;
    const dimensions = shape.map(Number);
    const ones = { F32: Float32Array, F64: Float64Array }[dtype === 'F64' ? 'F64' : 'F32'];
    const one = new ones(elementCount(dimensions)).fill(1);
    const rows = ops.op('Gather', [ops.op('Shape', [data]), ops.reshape(ops.ints([0]), [])], { axis: 0 });
    return {
      loss: ops.reshape(name, []),
      count: ops.cast(rows, dtype),
      seed: ops.graph.constant({ dtype, shape: dimensions, data: one }),
      sums: {},
    };
  },
};
