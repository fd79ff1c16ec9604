/**
 * Confidence filters: how sure a classifier is of a row, from the probabilities it gives the classes. One interface, as
 * Sedna's hard-example mining has it (github.com/kubeedge/sedna, lib/sedna/algorithms/hard_example_mining: a filter
 * judges one inference result): a number from 0, unsure, to 1, sure, and a row below the threshold is hard.
 *
 * Unlike Sedna's, which takes what it cannot judge for easy, a row with a NaN is hard: see judge.ts.
 */
import type { FilterName } from '../../contracts/cascade.ts';

export interface Filter {
  readonly source: string;
  /**
   * @param probabilities of at least two classes, each 0 to 1, their sum 1
   * @returns 0 to 1 but for rounding; NaN where one of them is
   */
  readonly confidence: (probabilities: Float64Array) => number;
}

/** The two largest, the larger first. NaN where one of them is. */
function topTwo(probabilities: Float64Array): readonly [number, number] {
  let [first, second] = [-Infinity, -Infinity];
  for (const p of probabilities) {
    if (Number.isNaN(p)) return [NaN, NaN];
    if (p > first) [first, second] = [p, first];
    else if (p > second) second = p;
  }
  return [first, second];
}

export const FILTERS: Readonly<Record<FilterName, Filter>> = {
  threshold: {
    source:
      'Chow, On optimum recognition error and reject tradeoff, IEEE Trans. Inf. Theory 16(1), 1970; Hendrycks & Gimpel 2017, arXiv:1610.02136',
    confidence: (probabilities) => topTwo(probabilities)[0],
  },
  margin: {
    source: 'Scheffer, Decomain & Wrobel, Active hidden Markov models for information extraction, IDA 2001',
    confidence(probabilities) {
      const [first, second] = topTwo(probabilities);
      return first - second;
    },
  },
  entropy: {
    source: "Sedna's CrossEntropyFilter: 1 + Σ p ln p / ln n, one less the entropy over its largest value",
    confidence(probabilities) {
      let sum = 0;
      // p ln p goes to 0 with p.
      for (const p of probabilities) if (p !== 0) sum += p * Math.log(p);
      return 1 + sum / Math.log(probabilities.length);
    },
  },
};
