import { type Case, param, positive, single } from './operands.ts';

const SHAPES = [
  [4, 3],
  [3, 2, 4],
  [2, 3, 2, 2],
  [2, 2, 2, 2, 2],
];

const batch = SHAPES.flatMap((shape): Case[] => {
  const channels = shape[1]!;
  const vectors = [param(channels), param(channels)];
  return [
    {
      op: 'BatchNormalization',
      about: `rank ${shape.length}, given statistics`,
      operands: [param(...shape), ...vectors, param(channels), positive(channels)],
      attributes: { epsilon: { float: 1e-3 } },
    },
    {
      op: 'BatchNormalization',
      about: `rank ${shape.length}, statistics of the batch`,
      operands: [param(...shape), ...vectors, param(channels), positive(channels)],
      attributes: { training_mode: 1 },
      outputs: 3,
      isFirstOnly: true,
    },
  ];
});

const instance = SHAPES.slice(1).map((shape): Case => {
  const channels = shape[1]!;
  return {
    op: 'InstanceNormalization',
    about: `rank ${shape.length}`,
    operands: [param(...shape), param(channels), param(channels)],
    attributes: { epsilon: { float: 1e-2 } },
  };
});

/** 11: its statistics in float64 too. */
const DOUBLE = 11;

const group = [1, 2, 4].map((num_groups): Case => ({
  op: 'GroupNormalization',
  about: `${num_groups} groups of 4 channels`,
  operands: [param(2, 4, 3, 2), param(4), param(4)],
  attributes: { num_groups, stash_type: DOUBLE },
}));

export const BATCH_NORMALIZATION: readonly Case[] = [...batch, ...instance.map(single), ...group];
