/** F1: the harmonic mean of precision and recall, 2·TP / (2·TP + FP + FN) (van Rijsbergen 1979, ch. 7). */
import type { Metric } from './metric.ts';

/** Weights of right predictions of each class, and of all predictions and occurrences of it. */
interface Tally {
  right: number;
  predicted: number;
  actual: number;
}

const f1Of = ({ right, predicted, actual }: Tally) => (2 * right) / (predicted + actual);

interface Tallies extends Pick<Metric, 'update' | 'tally' | 'add'> {
  readonly of: ReadonlyMap<number, Tally>;
}

/** Numbers of a class in a tally: which it is, right, predicted, actual. */
const OF_CLASS = 4;

function tallies(): Tallies {
  const of = new Map<number, Tally>();
  const ofClass = (id: number): Tally => {
    const known = of.get(id);
    if (known !== undefined) return known;
    const tally = { right: 0, predicted: 0, actual: 0 };
    of.set(id, tally);
    return tally;
  };
  return {
    of,
    update({ predicted, actual, weight }) {
      ofClass(predicted).predicted += weight;
      ofClass(actual).actual += weight;
      if (predicted === actual) ofClass(actual).right += weight;
    },
    tally: () => [...of].flatMap(([id, { right, predicted, actual }]) => [id, right, predicted, actual]),
    add(tally) {
      for (let at = 0; at < tally.length; at += OF_CLASS) {
        const [id = 0, right = 0, predicted = 0, actual = 0] = tally.slice(at, at + OF_CLASS);
        const sum = ofClass(id);
        sum.right += right;
        sum.predicted += predicted;
        sum.actual += actual;
      }
    },
  };
}

/** The mean over the classes that occur or were predicted; those that do neither say nothing. */
export function macroF1(): Metric {
  const { of, ...counting } = tallies();
  return {
    ...counting,
    value() {
      // In the order of the classes: a sum does not depend on which came first.
      const classes = [...of].toSorted(([a], [b]) => a - b).map(([, tally]) => f1Of(tally));
      return classes.reduce((sum, f1) => sum + f1, 0) / classes.length;
    },
  };
}

/** Of class 1; 0 where it neither occurs nor was predicted. */
export function binaryF1(): Metric {
  const { of, ...counting } = tallies();
  return {
    ...counting,
    value() {
      const positive = of.get(1);
      if (positive !== undefined) return f1Of(positive);
      return of.size === 0 ? NaN : 0;
    },
  };
}
