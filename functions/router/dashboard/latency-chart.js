/** Both places' latency percentiles on one logarithmic axis. */
import { byId, h, s } from './dom.js';
import { ms, significant } from './format.js';
import { PLACES, PLACE_NAMES } from './places.js';
import { known, on } from './state.js';
/** @import { Place, TargetView } from './types.ts' */

const HEIGHT = 214;
const [LEFT, RIGHT] = [58, 20];

/** From half a millisecond, which a Worker's clock shows as 0, to a power of ten. @param {readonly number[]} all */
function rangeOf(all) {
  const low = all.some((n) => n > 0 && n < 0.5) ? 0.1 : 0.5;
  return { low, high: 10 ** Math.ceil(Math.log10(Math.max(10, ...all))) };
}

/**
 * @param {Place} name
 * @param {TargetView} view
 * @param {number} y
 * @param {(n: number) => number} px
 * @param {number} width
 */
function row(name, view, y, px, width) {
  const title = s('text', { x: 0, y: y + 4 }, PLACES[name].name);
  if (view.p50Ms === null) {
    const why = view.configured ? 'no answer yet' : 'not configured';
    return [title, s('text', { class: 'unit', x: 66, y: y + 4 }, why)];
  }
  const [a, b, c] = [px(view.p50Ms), px(view.p95Ms ?? view.p50Ms), px(view.p99Ms ?? view.p50Ms)];
  const words = `${ms(view.p50Ms)} · ${ms(view.p95Ms)} · ${ms(view.p99Ms)}`;
  return [
    title,
    s(
      'g',
      { class: name },
      s('line', { class: 'range', x1: a, x2: c, y1: y, y2: y }),
      s('path', { class: 'mark', d: `M${c - 6} ${y}l6 -6l6 6l-6 6z` }),
      s('line', { class: 'mark', x1: b, x2: b, y1: y - 8, y2: y + 8 }),
      s('circle', { class: 'mark', cx: a, cy: y, r: 5.5 }),
    ),
    s('text', { class: 'tick', x: Math.min(a, width - 130), y: y - 15 }, words),
  ];
}

/** @param {HTMLElement} figure @param {SVGElement} svg */
function draw(figure, svg) {
  const width = figure.clientWidth;
  if (known.routing === null || width === 0) return;
  const { places } = known.routing;
  const { low, high } = rangeOf(
    PLACE_NAMES.flatMap((name) => [places[name].p50Ms, places[name].p95Ms, places[name].p99Ms]).filter(
      (n) => n !== null,
    ),
  );
  /** @param {number} n */
  const px = (n) => LEFT + (Math.log(Math.max(low, n) / low) / Math.log(high / low)) * (width - LEFT - RIGHT);
  const grid = [];
  for (let n = 10 ** Math.ceil(Math.log10(low)); n <= high; n *= 10)
    grid.push(
      s('line', { class: 'grid', x1: px(n), x2: px(n), y1: 22, y2: 180 }),
      s('text', { class: 'tick', x: px(n), y: 197, 'text-anchor': 'middle' }, significant(n)),
    );
  svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute(
    'aria-label',
    PLACE_NAMES.map((name) => {
      const { p50Ms, p95Ms, p99Ms } = places[name];
      return `${PLACES[name].name}: p50 ${ms(p50Ms)}, p95 ${ms(p95Ms)}, p99 ${ms(p99Ms)}`;
    }).join('. '),
  );
  svg.replaceChildren(
    s('text', { class: 'unit', x: width - 12, y: 211, 'text-anchor': 'end' }, 'milliseconds, logarithmic'),
    ...grid,
    ...PLACE_NAMES.flatMap((name, i) => row(name, places[name], 68 + i * 72, px, width)),
  );
}

export function startLatencyChart() {
  const figure = byId('latency-chart');
  const svg = s('svg', { class: 'chart', role: 'img', height: HEIGHT });
  figure.append(
    h('figcaption', {}, h('h3', {}, 'Latency'), h('p', { class: 'hint' }, 'p50 ○   p95 |   p99 ◇')),
    svg,
  );
  on(['routing'], () => draw(figure, svg));
  new ResizeObserver(() => draw(figure, svg)).observe(figure);
}
