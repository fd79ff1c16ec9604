/** The shapes of a timeline, and the legend of those that it has. */
import { h, s } from './dom.js';
/** @import { Item } from './types.ts' */

/** @typedef {{ x: number, y: number, width: number, height: number }} Bar */
/** @typedef {{ kind: string, tone?: string, pattern?: string }} Look */

/** Colours are told apart by pattern too. */
const PATTERNS = { copy: 'M-1 6L6 -1M2 9L9 2', again: 'M4 0V8' };

export const patterns = () =>
  s(
    'defs',
    {},
    ...Object.entries(PATTERNS).map(([id, d]) =>
      s(
        'pattern',
        { id: `hatch-${id}`, width: 8, height: 8, patternUnits: 'userSpaceOnUse' },
        s('path', { d, 'stroke-width': 1.5 }),
      ),
    ),
  );

/** @param {Bar} bar @param {Look} look @param {boolean} isAt pointed at */
export const hatched = (bar, { kind, tone = 'train', pattern }, isAt = false) => [
  s('rect', { ...bar, rx: 2, class: `${kind} ${tone} ${isAt ? 'at' : ''}` }),
  ...(pattern === undefined || kind === 'late'
    ? []
    : [s('rect', { ...bar, rx: 2, fill: `url(#hatch-${pattern})`, 'pointer-events': 'none' })]),
];

/** @param {number} x @param {number} y @param {number} r */
const diamond = (x, y, r) =>
  s('path', { class: 'diamond', d: `M${x - r} ${y}l${r} ${-r}l${r} ${r}l${-r} ${r}z` });

/** @param {number} x @param {number} y @param {number} r */
const cross = (x, y, r) =>
  s('path', {
    class: 'cross',
    d: `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`,
  });

/**
 * @param {Item} item
 * @param {Bar} bar
 * @param {number | undefined} index of what can be pointed at
 * @param {boolean} isAt
 */
export function markOf(item, bar, index, isAt) {
  const isTold = 'words' in item;
  const tone = ('tone' in item && item.tone) || 'train';
  const middle = bar.y + bar.height / 2;
  const end = Math.max(bar.x + 1, bar.x + bar.width);
  const group = s('g', { class: tone, 'data-item': index });
  if (isTold) group.append(s('title', {}, item.words));
  if (item.kind === 'bar' || item.kind === 'late') {
    group.append(...hatched(bar, item, isAt));
    const label = item.label ?? '';
    if (bar.height >= 13 && item.kind === 'bar' && label.length * 6.2 + 10 < bar.width)
      group.append(s('text', { class: 'inside', x: bar.x + 5, y: middle + 4 }, label));
  } else if (item.kind === 'commit') {
    const r = Math.min(5, Math.max(2.5, bar.height / 2));
    group.append(...hatched(bar, { kind: 'bar', tone: 'both' }, isAt), diamond(end, middle, r));
  } else {
    group.append(s('line', { class: item.kind, x1: bar.x, x2: end, y1: middle, y2: middle }));
    if (item.kind === 'gone')
      group.append(cross(Math.max(bar.x + 5, end - 7), middle, Math.min(4, bar.height / 2)));
    if (isTold) group.append(s('rect', { ...bar, rx: 2, class: `touch ${isAt ? 'at' : ''}` }));
  }
  return group;
}

const SWATCH = { x: 1, y: 1, width: 16, height: 10 };
/** @param {string} kind */
const line = (kind) => s('line', { class: kind, x1: 0, x2: 18, y1: 6, y2: 6 });

/** @type {readonly (readonly [name: string, tone: string, look: () => SVGElement[], is: (item: Item) => boolean])[]} */
const SWATCHES = [
  ['ran', 'train', () => hatched(SWATCH, { kind: 'bar' }), () => true],
  [
    'backup copy',
    'cloud',
    () => hatched(SWATCH, { kind: 'bar', tone: 'cloud', pattern: 'copy' }),
    (item) => 'pattern' in item && item.pattern === 'copy',
  ],
  [
    'delivered again',
    'edge',
    () => hatched(SWATCH, { kind: 'bar', tone: 'edge', pattern: 'again' }),
    (item) => 'pattern' in item && item.pattern === 'again',
  ],
  ['handed on', 'train', () => [line('link')], ({ kind }) => kind === 'link'],
  ['queued', 'train', () => [line('wait')], ({ kind }) => kind === 'wait'],
  ['no update yet', 'train', () => [line('open')], ({ kind }) => kind === 'open'],
  ['missing', 'train', () => [line('gone'), cross(12, 6, 4)], ({ kind }) => kind === 'gone'],
  ['too late', 'bad', () => hatched(SWATCH, { kind: 'late', tone: 'bad' }), ({ kind }) => kind === 'late'],
  ['merge', 'both', () => hatched(SWATCH, { kind: 'bar', tone: 'both' }), ({ kind }) => kind === 'commit'],
  ['commit', 'both', () => [diamond(9, 6, 5)], ({ kind }) => kind === 'commit'],
];

/** @param {readonly Item[]} items */
export const legendOf = (items) =>
  SWATCHES.filter(([, , , is]) => items.some(is)).map(([name, tone, look]) => {
    const box = { viewBox: '0 0 18 12', height: 12, 'aria-hidden': 'true' };
    return h('span', { class: 'key' }, s('svg', { ...box, class: `gantt ${tone}` }, ...look()), name);
  });
