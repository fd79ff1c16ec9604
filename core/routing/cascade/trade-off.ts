/** What a threshold buys: how much is asked of the larger model, and how often the two are right together. */
export interface Outcomes {
  /** Of each row, 0 to 1; NaN is below every threshold. */
  readonly confidence: ArrayLike<number>;
  /** Whether the small model was right about it, and whether the large one is. */
  readonly small: ArrayLike<boolean | number>;
  readonly large: ArrayLike<boolean | number>;
}

export interface Point {
  readonly threshold: number;
  /** Share of the rows below it, 0 to 1. */
  readonly offload: number;
  /** Of the cascade, 0 to 1. */
  readonly accuracy: number;
}

const below = (confidence: number, threshold: number) => !(confidence >= threshold);

export function pointAt({ confidence, small, large }: Outcomes, threshold: number): Point {
  let [asked, right] = [0, 0];
  const rows = confidence.length;
  for (let row = 0; row < rows; row++) {
    const isHard = below(confidence[row]!, threshold);
    if (isHard) asked += 1;
    if ((isHard ? large : small)[row]) right += 1;
  }
  return { threshold, offload: asked / rows, accuracy: right / rows };
}

/**
 * The lowest threshold on a grid with which the cascade is as accurate as the larger model alone, or nearly: to be
 * chosen on rows that neither model was trained on, and judged on others.
 * @param tolerance by how much the accuracy may be lower
 * @returns undefined where no threshold up to 1 is enough
 */
export function lowestThreshold(
  outcomes: Outcomes,
  thresholds: readonly number[],
  tolerance: number,
): Point | undefined {
  const goal = pointAt({ ...outcomes, small: outcomes.large }, 0).accuracy - tolerance;
  for (const threshold of thresholds.toSorted((a, b) => a - b)) {
    const point = pointAt(outcomes, threshold);
    // The tolerance itself is allowed, whatever the subtraction made of its last bits.
    if (point.accuracy >= goal - 1e-12) return point;
  }
  return undefined;
}
