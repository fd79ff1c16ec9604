/** Whether one variant of a model is as good as another, by a metric. */
import type { Metrics } from '../contracts/primitives.ts';

/** Of every other metric (losses, errors, perplexity) less is better. */
const MORE_IS_BETTER: ReadonlySet<string> = new Set(['accuracy', 'f1']);

/**
 * @param metric which to compare by; undefined: the reference's first
 * @param tolerance by how much the candidate may be worse, in the metric's unit
 * @returns why the candidate is not good enough; undefined where it is
 */
export function worseThan(
  reference: Metrics,
  candidate: Metrics,
  metric: string | undefined,
  tolerance: number,
): string | undefined {
  const name = metric ?? Object.keys(reference)[0];
  if (name === undefined) return 'there is no metric to compare by';
  const [before, after] = [reference[name], candidate[name]];
  if (before === undefined || after === undefined) return `its ${name} is unknown`;
  const lost = MORE_IS_BETTER.has(name) ? before - after : after - before;
  // A loss of exactly the tolerance is allowed, whatever the subtraction made of its last bits.
  if (lost <= tolerance + 1e-12 * Math.abs(before)) return undefined;
  return `its ${name} is ${shown(after)}, worse than ${shown(before)} by ${shown(lost)}: ${tolerance} is allowed`;
}

const shown = (value: number) => Number(value.toPrecision(5));
