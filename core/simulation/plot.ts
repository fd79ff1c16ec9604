/**
 * Lines in panels beside each other as an SVG image, which reads on light and on dark pages: a pure function of the
 * figures. Colours are those of Okabe & Ito 2008, told apart by the colour-blind; each line has its own marker too.
 */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
  /** A horizontal line, such as an objective. */
  readonly limit?: { readonly name: string; readonly at: number } | undefined;
}

export interface Figure {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly panels: readonly Panel[];
}

const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#b8a900', '#888888'];
const MARKERS = ['circle', 'square', 'diamond', 'triangle'] as const;
const PANEL = { width: 300, height: 260, left: 54, right: 14, top: 52, bottom: 44 };
const LEGEND = { line: 18, column: 150 };

const STYLE = `
  svg { color-scheme: light dark; }
  text { font: 12px system-ui, sans-serif; fill: #333; }
  .title { font-weight: 600; font-size: 14px; }
  .axis { stroke: #777; } .grid { stroke: #ddd; } .limit { stroke: #c00; stroke-dasharray: 5 4; }
  .limit-name { fill: #c00; }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd; } .axis { stroke: #999; } .grid { stroke: #444; }
    .limit { stroke: #f66; } .limit-name { fill: #f66; }
  }`;

const n = (value: number) => String(Math.round(value * 10) / 10);
const escape = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const label = (value: number) =>
  value >= 1000 ? `${n(value / 1000)}k` : String(Number(value.toPrecision(3)));

/** The first four contenders have different colours and markers; the fifth differs in colour, and so on. */
const colourOf = (i: number) => COLOURS[i % COLOURS.length]!;

function marker(i: number, x: number, y: number): string {
  const fill = `fill="${colourOf(i)}"`;
  switch (MARKERS[i % MARKERS.length]!) {
    case 'circle':
      return `<circle cx="${n(x)}" cy="${n(y)}" r="3" ${fill}/>`;
    case 'square':
      return `<rect x="${n(x - 3)}" y="${n(y - 3)}" width="6" height="6" ${fill}/>`;
    case 'diamond':
      return `<path d="M${n(x)} ${n(y - 4)}l4 4l-4 4l-4 -4z" ${fill}/>`;
    case 'triangle':
      return `<path d="M${n(x)} ${n(y - 4)}l4 7h-8z" ${fill}/>`;
  }
}

/** 1, 2 and 5 times the powers of ten that lie in the range, or only the powers where it is wide. */
function ticks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => 10 ** (first + i));
  const steps = powers.length > 4 ? [1] : [1, 2, 5];
  return powers
    .flatMap((power) => steps.map((step) => step * power))
    .filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

/** Those whose labels do not touch. */
function spaced(values: readonly number[], pixel: (value: number) => number): number[] {
  const kept: number[] = [];
  for (const value of values)
    if (kept.length === 0 || pixel(value) - pixel(kept.at(-1)!) > 34) kept.push(value);
  return kept;
}

/** The y axis is logarithmic and common to all panels; values must be above 0. */
export function plot({ title, x, y, panels }: Figure): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const points = panels.flatMap(({ series }) => series.flatMap((each) => each.points));
  const xs = [...new Set(points.map(([at]) => at))].sort((a, b) => a - b);
  const limits = panels.flatMap(({ limit }) => (limit === undefined ? [] : [limit.at]));
  const ys = [...points.map(([, value]) => value), ...limits].filter((value) => value > 0);
  const [low, high] = [Math.min(...ys) / 1.15, Math.max(...ys) * 1.15];
  const [from, to] = [xs[0] ?? 0, xs.at(-1) ?? 1];
  const columns = Math.max(1, Math.floor((panels.length * PANEL.width) / LEGEND.column));
  const width = Math.max(panels.length * PANEL.width, 420);
  const height = PANEL.height + Math.ceil(names.length / columns) * LEGEND.line + 12;

  const panel = ({ title: name, series, limit }: Panel, index: number): string => {
    const left = index * PANEL.width + PANEL.left;
    const right = (index + 1) * PANEL.width - PANEL.right;
    const bottom = PANEL.height - PANEL.bottom;
    const px = (value: number) =>
      to === from ? (left + right) / 2 : left + ((value - from) / (to - from)) * (right - left);
    const py = (value: number) =>
      bottom - (Math.log(Math.max(value, low) / low) / Math.log(high / low)) * (bottom - PANEL.top);
    const horizontal = ticks(low, high).map((tick) => {
      const at = n(py(tick));
      return `<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/><text x="${left - 6}" y="${n(py(tick) + 4)}" text-anchor="end">${label(tick)}</text>`;
    });
    const vertical = spaced(xs, px).map(
      (tick) => `<text x="${n(px(tick))}" y="${bottom + 16}" text-anchor="middle">${label(tick)}</text>`,
    );
    const lines = series.map((each) => {
      const colour = names.indexOf(each.name);
      const path = each.points.map(([a, b], i) => `${i === 0 ? 'M' : 'L'}${n(px(a))} ${n(py(b))}`).join('');
      const marks = each.points.map(([a, b]) => marker(colour, px(a), py(b))).join('');
      return `<path d="${path}" fill="none" stroke="${colourOf(colour)}" stroke-width="1.6"/>${marks}`;
    });
    const goal =
      limit === undefined
        ? ''
        : `<line class="limit" x1="${left}" x2="${right}" y1="${n(py(limit.at))}" y2="${n(py(limit.at))}"/><text class="limit-name" x="${left + 4}" y="${n(py(limit.at) - 4)}">${escape(limit.name)}</text>`;
    return [
      `<g>`,
      `<text x="${n((left + right) / 2)}" y="${PANEL.top - 10}" text-anchor="middle">${escape(name)}</text>`,
      ...horizontal,
      `<path class="axis" d="M${left} ${PANEL.top}V${bottom}H${right}" fill="none"/>`,
      ...vertical,
      `<text x="${n((left + right) / 2)}" y="${bottom + 34}" text-anchor="middle">${escape(x)}</text>`,
      ...lines,
      goal,
      `</g>`,
    ].join('\n');
  };

  const legend = names.map((name, i) => {
    const at = { x: PANEL.left + (i % columns) * LEGEND.column, y: PANEL.height + 8 };
    const middle = at.y + Math.floor(i / columns) * LEGEND.line;
    return `<line x1="${at.x}" x2="${at.x + 22}" y1="${middle}" y2="${middle}" stroke="${colourOf(i)}" stroke-width="1.6"/>${marker(i, at.x + 11, middle)}<text x="${at.x + 28}" y="${middle + 4}">${escape(name)}</text>`;
  });

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}</style>`,
    `<text class="title" x="12" y="20">${escape(title)}</text>`,
    `<text x="12" y="${PANEL.top - 10}">${escape(y)}</text>`,
    ...panels.map(panel),
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}
