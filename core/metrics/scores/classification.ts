/** Classes over the last axis. */
import { Fault } from '../../errors.ts';
import type { TensorValue } from '../../tensors/tensor.ts';
import { numberAt, reader, type Scorer, weights } from './scorer.ts';

/** What the numbers of an output are. */
export type ClassForm = 'logits' | 'probabilities' | 'log-probabilities';

/** The smallest positive float32: a probability that was rounded to 0 was below it. */
const LEAST = 2 ** -149;

interface Row {
  /** Of the largest number, the first of equals. */
  readonly best: number;
  readonly logProbability: (id: number) => number;
}

function rowOf({ data }: TensorValue, start: number, classes: number, form: ClassForm): Row {
  const at = (id: number) => numberAt(data, start + id);
  let best = 0;
  for (let id = 1; id < classes; id++) if (at(id) > at(best)) best = id;
  if (form === 'log-probabilities') return { best, logProbability: at };
  if (form === 'probabilities') return { best, logProbability: (id) => Math.log(Math.max(at(id), LEAST)) };
  // Shifted by the largest, so that no exponential overflows.
  let total = 0;
  for (let id = 0; id < classes; id++) total += Math.exp(at(id) - at(best));
  const logTotal = Math.log(total) + at(best);
  return { best, logProbability: (id) => at(id) - logTotal };
}

/** Class ids `[…]`, or probabilities `[…, classes]`, against an output `[…, classes]`. */
export function classScores(form: ClassForm, ignoreIndex?: number): Scorer {
  return function* scores({ output, target, mask }) {
    const classes = output.shape.at(-1) ?? 1;
    const elements = output.data.length / classes;
    if (
      target === undefined ||
      (target.data.length !== elements && target.data.length !== output.data.length)
    )
      throw new Fault('unprocessable', `${target?.data.length ?? 0} target values for ${elements} elements`, {
        field: 'loss.target',
      });
    const isIds = target.data.length === elements;
    const truth = reader(target);
    const weightOf = weights(mask);
    for (let i = 0; i < elements; i++) {
      const weight = weightOf(i);
      if (weight === 0 || (isIds && truth(i) === ignoreIndex)) continue;
      const { best, logProbability } = rowOf(output, i * classes, classes, form);
      if (isIds) {
        const actual = truth(i);
        yield { loss: -logProbability(actual), predicted: best, actual, weight };
      } else {
        let loss = 0;
        let actual = 0;
        for (let id = 0; id < classes; id++) {
          const share = truth(i * classes + id);
          // 0·log 0 is 0.
          if (share !== 0) loss -= share * logProbability(id);
          if (share > truth(i * classes + actual)) actual = id;
        }
        yield { loss, predicted: best, actual, weight };
      }
    }
  };
}
