/** Figures, as a reader wants them. Pure. */

const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** @param {number} n */
export const count = (n) => Math.round(n).toLocaleString('en');

/** @param {number} n */
export const short = (n) => (n < 10_000 ? count(n) : COMPACT.format(n));

/** @param {number} n @param {string} word */
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;

/** @param {number} share of 1 @param {number} digits */
export const percent = (share, digits = 1) => `${(share * 100).toFixed(digits)} %`;

/** Three significant digits; two below 1. What rounds to 1000 is one of the next unit. @param {number} n */
export const significant = (n) => String(Number(n.toPrecision(n < 1 ? 2 : 3)));

/** @param {number} n */
export const bytes = (n) => (n < 999_500 ? `${significant(n / 1e3)} kB` : `${significant(n / 1e6)} MB`);

/** A Worker's clock moves in whole milliseconds: 0 means less than one. @param {number | null} n milliseconds */
export function ms(n) {
  if (n === null) return '–';
  if (n === 0) return '< 1 ms';
  return n < 999.5 ? `${significant(n)} ms` : `${significant(n / 1000)} s`;
}

/** @param {number} rate */
export const perSecond = (rate) => (rate >= 100 ? `${count(rate)}/s` : `${rate.toFixed(1)}/s`);

/** @param {number} seconds */
export function span(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** What something took: exact where it is short. @param {number} seconds */
export const took = (seconds) =>
  Math.round(seconds * 10) < 600 ? ms(Math.round(seconds * 1000)) : span(seconds);

/** The time of day, in the reader's zone. @param {string | number} at */
export const clock = (at) => new Date(at).toLocaleTimeString('en-GB');

/** @param {string} at @param {number} now Unix milliseconds */
export function ago(at, now) {
  const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
  if (seconds < 5) return 'just now';
  if (seconds < 86_400) return `${span(seconds).split(' ').slice(0, 2).join(' ')} ago`;
  return new Date(at).toLocaleDateString('en', { day: 'numeric', month: 'short', year: 'numeric' });
}

/** @param {string} metric @param {number} value */
export const figure = (metric, value) =>
  metric === 'accuracy' ? percent(value, 2) : String(Number(value.toPrecision(4)));

/** @param {string} word */
export const capital = (word) => word.slice(0, 1).toUpperCase() + word.slice(1);

/**
 * Of a job's or a release's metrics the first is the one to show.
 * @param {Readonly<Record<string, number>> | undefined} metrics
 */
export function headline(metrics) {
  const [first] = Object.entries(metrics ?? {});
  return first === undefined ? undefined : { name: first[0], value: first[1], text: figure(...first) };
}
