/** The smallest normal float32, 2^-126. Arithmetic below it takes a slow path in the processor, up to 100 times. */
const SMALLEST_NORMAL = 2 ** -126;

/** Steps between two sweeps: few enough that no denormal lives long, many enough that the sweep costs nothing. */
const SWEEP_EVERY = 16;

/**
 * Moving averages of gradients that stay zero decay into denormals and linger there. Every sixteenth step sets them
 * to zero: by the step's number, so that every execution does it at the same time.
 */
export function sweepDenormals(step: number, vector: Float32Array): void {
  if (step % SWEEP_EVERY !== SWEEP_EVERY - 1) return;
  for (let i = 0; i < vector.length; i++) {
    if (Math.abs(vector[i]!) < SMALLEST_NORMAL) vector[i] = 0;
  }
}
