/** A metric takes in elements one by one, in any number of pieces, and has a value at any time. */

/** One element (a row, a token, a pixel) and what the model made of it. */
export interface Score {
  readonly loss: number;
  /** Classes of a classification, values of a regression; NaN where the loss knows neither. */
  readonly predicted: number;
  readonly actual: number;
  /** Greater than 0. */
  readonly weight: number;
}

export interface Metric {
  update(score: Score): void;
  /** NaN before the first element. */
  value(): number;
  /** What the value is made of; those of disjoint elements are added with {@link Metric.add}. */
  tally(): number[];
  /** Takes in what another metric of the same kind has counted. */
  add(tally: readonly number[]): void;
}
