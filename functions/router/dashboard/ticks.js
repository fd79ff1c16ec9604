/** Where a chart's axis has its lines: round numbers. Pure. */

/**
 * @param {number} low
 * @param {number} high
 * @param {number} wanted about how many
 * @returns {number[]} multiples of 1, 2, 2.5 or 5 by a power of ten, within the range
 */
export function ticks(low, high, wanted) {
  const rough = (high - low) / wanted || 1;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = magnitude * ([1, 2, 2.5, 5].find((factor) => factor * magnitude >= rough * 0.999) ?? 10);
  const values = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) values.push(n * step);
  return values;
}
