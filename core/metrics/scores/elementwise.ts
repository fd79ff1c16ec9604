/** Losses that compare each number of the output with one of the target. */
import { Fault } from '../../errors.ts';
import type { Score } from '../metric.ts';
import { numberAt, reader, type Scorer, weights } from './scorer.ts';

type Judge = (output: number, target: number) => Omit<Score, 'weight'>;

function elementwise(judge: Judge): Scorer {
  return function* scores({ output, target, mask }) {
    const { data } = output;
    if (target?.data.length !== data.length)
      throw new Fault(
        'unprocessable',
        `${target?.data.length ?? 0} target values for ${data.length} outputs`,
        {
          field: 'loss.target',
        },
      );
    const truth = reader(target);
    const weightOf = weights(mask);
    for (let i = 0; i < data.length; i++) {
      const weight = weightOf(i);
      if (weight !== 0) yield { ...judge(numberAt(data, i), truth(i)), weight };
    }
  };
}

export type BinaryForm = 'logits' | 'probabilities';

/** A float32 probability that was rounded to 1 was within this of it, and one rounded to 0 below {@link LEAST}. */
const BELOW_ONE = 2 ** -25;
const LEAST = 2 ** -149;

/** log(1 + exp(x)) without overflow. */
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Yes or no; a target between 0 and 1 counts as yes above a half. */
export const binaryScores = (form: BinaryForm): Scorer =>
  elementwise((output, target) => {
    const actual = target > 0.5 ? 1 : 0;
    if (form === 'logits') {
      const loss = target * softplus(-output) + (1 - target) * softplus(output);
      return { loss, predicted: output > 0 ? 1 : 0, actual };
    }
    const yes = Math.log(Math.max(output, LEAST));
    const no = Math.log(Math.max(1 - output, BELOW_ONE));
    return {
      loss: -(target === 0 ? 0 : target * yes) - (target === 1 ? 0 : (1 - target) * no),
      predicted: output > 0.5 ? 1 : 0,
      actual,
    };
  });

export const squaredScores: Scorer = elementwise((predicted, actual) => ({
  loss: (predicted - actual) ** 2,
  predicted,
  actual,
}));

export const huberScores = (delta: number): Scorer =>
  elementwise((predicted, actual) => {
    const error = predicted - actual;
    const bounded = Math.max(-delta, Math.min(delta, error));
    return { loss: bounded * (error - bounded / 2), predicted, actual };
  });

/** The output is the loss of the whole batch already. */
export const givenScores: Scorer = ({ output, rows }) => [
  { loss: numberAt(output.data, 0), predicted: NaN, actual: NaN, weight: rows },
];
