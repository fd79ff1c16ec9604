import { type Case, vector, int, ints, param } from './operands.ts';

const WEIGHTS = vector(0.5, 2, 1.25);

/** Rows and positions, each reduction, with and without a label that is ignored, with and without class weights. */
const combinations = ['SoftmaxCrossEntropyLoss', 'NegativeLogLikelihoodLoss'].flatMap((op) =>
  ['none', 'sum', 'mean'].flatMap((reduction) =>
    [undefined, 1, -1].flatMap((ignored) =>
      [false, true].flatMap((isWeighted): Case[] => {
        const attributes = { reduction, ...(ignored === undefined ? {} : { ignore_index: ignored }) };
        const weights = isWeighted ? [WEIGHTS] : [];
        const about = `${reduction}, ${ignored === undefined ? 'none' : `class ${ignored}`} ignored${isWeighted ? ', weighted' : ''}`;
        const last = ignored ?? 0;
        return [
          { op, about, operands: [param(4, 3), int(0, 2, 1, last), ...weights], attributes },
          {
            op,
            about: `${about}, positions`,
            operands: [param(2, 3, 2), ints([2, 2], 0, 2, 1, last), ...weights],
            attributes,
          },
        ];
      }),
    ),
  ),
);

export const LOSS: readonly Case[] = [
  ...combinations,
  {
    op: 'SoftmaxCrossEntropyLoss',
    about: 'and log-probabilities',
    operands: [param(4, 3), int(0, 2, 1, 0), WEIGHTS],
    outputs: 2,
  },
];
