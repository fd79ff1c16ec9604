/** A line chart in its figure, drawn in real pixels; single values by pointer or arrow keys. */
import { h, s, speakWhileFocused } from './dom.js';
import { ticks } from './ticks.js';
/** @import { ChartData, Series } from './types.ts' */

const HEIGHT = 214;
const LEFT = 46;
const RIGHT = 12;
/** Longer curves have only their newest point marked. */
const MARKED = 30;

/** @param {ChartData} data @param {number} width */
function scales({ x, y }, width) {
  const box = { left: LEFT, right: width - RIGHT, top: 22, bottom: HEIGHT - 34 };
  /** @param {number} value @param {readonly [number, number]} range */
  const share = (value, [low, high]) => (value - low) / (high - low);
  return {
    box,
    /** @param {number} value */
    px: (value) => box.left + share(value, x.range) * (box.right - box.left),
    /** @param {number} value */
    py: (value) => box.bottom - share(value, y.range) * (box.bottom - box.top),
  };
}
/** @typedef {ReturnType<typeof scales>} Scales */

/** @param {ChartData} data @param {Scales} scales @param {number} width */
function axes({ x, y }, { box, px, py }, width) {
  return [
    s('text', { class: 'unit', x: 0, y: 11 }, y.name),
    s('text', { class: 'unit', x: box.right, y: HEIGHT - 3, 'text-anchor': 'end' }, x.name),
    ...ticks(...y.range, 4).flatMap((value) => [
      s('line', { class: 'grid', x1: box.left, x2: box.right, y1: py(value), y2: py(value) }),
      s('text', { class: 'tick', x: box.left - 8, y: py(value) + 4, 'text-anchor': 'end' }, y.format(value)),
    ]),
    ...ticks(...x.range, Math.max(2, Math.min(6, width / 62))).map((value) =>
      s(
        'text',
        { class: 'tick', x: px(value), y: box.bottom + 17, 'text-anchor': 'middle' },
        x.format(value),
      ),
    ),
  ];
}

/** @param {NonNullable<ChartData['rule']>} rule @param {Scales} scales */
function ruleAcross({ y, name, isBelow }, { box, py }) {
  const at = py(y);
  const offset = isBelow || at < box.top + 14 ? 16 : -6;
  return [
    s('line', { class: 'rule', x1: box.left, x2: box.right, y1: at, y2: at }),
    s('text', { x: box.right, y: at + offset, 'text-anchor': 'end' }, name),
  ];
}

/** @param {Series} series @param {Scales} scales @param {number | undefined} at @param {boolean} isPlain */
function curve({ tone, points }, { px, py }, at, isPlain) {
  let path = '';
  let pen = 'M';
  for (const [x, y] of points) {
    if (y !== null) path += `${pen}${px(x).toFixed(1)} ${py(y).toFixed(1)}`;
    pen = y === null ? 'M' : 'L';
  }
  // Every point of a short curve, else the newest: a lone first point has no line to be seen by.
  const isEach = points.length <= MARKED && !isPlain;
  const dots = points.flatMap(([x, y], i) =>
    y !== null && (isEach || x === at || i === points.length - 1)
      ? [s('circle', { class: `dot ${tone}`, cx: px(x), cy: py(y), r: x === at ? 4.5 : 3 })]
      : [],
  );
  return [s('path', { class: `curve ${tone}`, d: path }), ...dots];
}

/** Every x there is, ascending. @param {ChartData} data */
const xsOf = ({ series }) =>
  [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);

/** @param {readonly number[]} xs @param {number | null} cursor */
function nearest(xs, cursor) {
  if (cursor === null || xs.length === 0) return undefined;
  return xs.reduce((best, each) => (Math.abs(each - cursor) < Math.abs(best - cursor) ? each : best));
}

/** @param {ChartData} data @param {number | undefined} at @returns {string} */
function readoutAt({ x, y, series, latest = '' }, at) {
  if (at === undefined) return latest;
  const words = series.flatMap(({ name, points }) => {
    const value = points.find((point) => point[0] === at)?.[1];
    return typeof value === 'number' ? [`${name} ${y.exact(value)}`] : [];
  });
  return words.length === 0 ? latest : `${x.exact(at)}: ${words.join(', ')}`;
}

/**
 * @param {HTMLElement} figure empty
 * @returns {(data: ChartData) => void} draws
 */
export function createLineChart(figure) {
  const readout = h('output', {});
  const svg = s('svg', { class: 'chart', role: 'img', tabindex: 0, height: HEIGHT });
  const heading = h('h3');
  figure.append(h('figcaption', {}, heading, readout), svg);
  /** @type {ChartData | null} */
  let data = null;
  /** @type {number | null} */
  let cursor = null;

  function draw() {
    const width = figure.clientWidth;
    if (data === null || width === 0) return;
    const { title, series, rule, isPlain = false } = data;
    const at = nearest(xsOf(data), cursor);
    const scale = scales(data, width);
    const { box, px } = scale;
    heading.textContent = title;
    svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute('aria-label', `${title}. ${data.summary}`);
    svg.replaceChildren(
      ...axes(data, scale, width),
      ...(rule === undefined ? [] : ruleAcross(rule, scale)),
      ...(at === undefined
        ? []
        : [s('line', { class: 'cursor', x1: px(at), x2: px(at), y1: box.top, y2: box.bottom })]),
      ...series.flatMap((each) => curve(each, scale, at, isPlain)),
    );
    if (series.every(({ points }) => points.every(([, y]) => y === null))) {
      const middle = { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 };
      svg.append(s('text', { ...middle, class: 'unit', 'text-anchor': 'middle' }, data.empty));
    }
    const words = readoutAt(data, at);
    if (readout.textContent !== words) readout.textContent = words;
  }
  /** @param {number | null} to */
  const move = (to) => {
    cursor = to;
    draw();
  };
  svg.addEventListener('pointermove', (event) => {
    if (data === null) return;
    const share = (event.offsetX - LEFT) / (figure.clientWidth - LEFT - RIGHT);
    const [low, high] = data.x.range;
    move(low + share * (high - low));
  });
  for (const gone of ['pointerleave', 'blur']) svg.addEventListener(gone, () => move(null));
  speakWhileFocused(readout, svg);
  svg.addEventListener('keydown', (event) => {
    const xs = data === null ? [] : xsOf(data);
    const now = cursor === null ? xs.length : xs.indexOf(nearest(xs, cursor) ?? 0);
    const steps = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: xs.length - 1 };
    if (event.key === 'Escape') move(null);
    if (!(event.key in steps) || xs.length === 0) return;
    event.preventDefault();
    const next = steps[/** @type {keyof typeof steps} */ (event.key)];
    move(xs[Math.max(0, Math.min(xs.length - 1, next))] ?? null);
  });
  new ResizeObserver(draw).observe(figure);
  return (next) => {
    data = next;
    draw();
  };
}
