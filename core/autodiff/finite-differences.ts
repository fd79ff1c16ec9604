/** Gradients by finite differences: the independent witness that a gradient check hears. */

export interface Derivative {
  readonly value: number;
  /** Estimated from how much the last two extrapolations differ. */
  readonly error: number;
}

/** Each step is this much smaller than the one before. */
const CONTRACTION = 2;
const LEVELS = 12;
/** Extrapolation stops where it has become this much worse than its best: rounding has taken over. */
const SAFE = 2;

/**
 * f'(x) by central differences at shrinking steps, extrapolated to step 0 in Neville's tableau (Ridders 1982,
 * "Accurate computation of F'(x) and F'(x)F''(x)"). The step needs no tuning: truncation shrinks with it, rounding
 * grows, and the entry with the smallest estimated error is taken. A kink between the points shows as a large error.
 * @param f of an offset from x; answers with the value and the offset that was really taken
 * @param step the first and largest
 * @param enough an error that needs no improving
 */
export async function derivative(
  f: (offset: number) => Promise<{ readonly value: number; readonly offset: number }>,
  step: number,
  enough: number,
): Promise<Derivative> {
  let best: Derivative = { value: NaN, error: Infinity };
  let previous: number[] = [];
  for (let level = 0; level < LEVELS; level++) {
    const h = step / CONTRACTION ** level;
    const [up, down] = [await f(h), await f(-h)];
    const row = [(up.value - down.value) / (up.offset - down.offset)];
    let factor = 1;
    for (const [order, known] of previous.entries()) {
      factor *= CONTRACTION ** 2;
      const lower = row[order]!;
      const value = (factor * lower - known) / (factor - 1);
      const error = Math.max(Math.abs(value - lower), Math.abs(value - known));
      if (error < best.error) best = { value, error };
      row.push(value);
    }
    const last = previous.at(-1);
    const hasTurned = last !== undefined && Math.abs(row.at(-1)! - last) >= SAFE * best.error;
    if (best.error <= enough || hasTurned) break;
    previous = row;
  }
  return best;
}
