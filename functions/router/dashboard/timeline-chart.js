/** A Gantt chart of the shards of some rounds, or of the parts of a job that has no rounds. */
import { s } from './dom.js';
import { clock } from './format.js';
import { ticks } from './ticks.js';
import { isTold, secondsOf } from './timeline-items.js';
import { layoutOf, rowNames, summaryOf } from './timeline-layout.js';
import { markOf, patterns } from './timeline-marks.js';
/** @import { Item, JobTimeline } from './types.ts' */

/** @typedef {import('./timeline-layout.js').Layout} Layout */

/** Every other round has a ground of its own, from the commit before it to its own; each commit a line. */
/** @param {JobTimeline} timeline @param {Layout} layout */
function rounds(timeline, { box, px, range }) {
  if (timeline.kind !== 'train') return [];
  const size = { y: box.top, height: box.bottom - box.top };
  /** @type {SVGElement[]} */
  const parts = [s('text', { class: 'unit', x: 0, y: box.top - 6 }, 'round')];
  let before = range.from;
  for (const { round, committedAt } of timeline.page) {
    const to = committedAt === undefined ? range.to : secondsOf(committedAt);
    const [x, width] = [px(before), Math.max(0, px(to) - px(before))];
    const name = String(round);
    if (round % 2 === 0) parts.push(s('rect', { ...size, x, width, class: 'band' }));
    if (width > 9 * name.length) {
      const at = { x: x + width / 2, y: box.top - 6 };
      parts.push(s('text', { ...at, class: 'tick', 'text-anchor': 'middle' }, name));
    }
    before = Math.max(before, to);
  }
  return parts;
}

/** @param {JobTimeline} timeline @param {Layout} layout */
function commits(timeline, { box, px }) {
  const closed =
    timeline.kind === 'train' ? timeline.page.flatMap(({ committedAt }) => committedAt ?? []) : [];
  return closed.map((at) => {
    const x = px(secondsOf(at));
    return s('line', { class: 'commit', x1: x, x2: x, y1: box.top, y2: box.bottom });
  });
}

/** @param {JobTimeline} timeline @param {Layout} layout @param {number} width */
function axes(timeline, layout, width) {
  const { box, px, range, unit, rowHeight } = layout;
  const wanted = Math.max(2, Math.min(8, width / 80));
  const foot = box.bottom + 17;
  return [
    ...ticks(0, range.length / unit.seconds, wanted).flatMap((value) => {
      const x = px(range.from + value * unit.seconds);
      const anchor = value === 0 ? 'start' : 'middle';
      return [
        s('line', { class: 'grid', x1: x, x2: x, y1: box.top, y2: box.bottom }),
        s(
          'text',
          { class: 'tick', x, y: 12, 'text-anchor': anchor },
          `${Number(value.toFixed(3))} ${unit.name}`,
        ),
      ];
    }),
    ...rowNames(timeline, layout).map(({ row, name }) => {
      const at = { x: box.left - 8, y: box.top + (row + 0.5) * rowHeight + 4 };
      return s('text', { ...at, class: 'tick', 'text-anchor': 'end' }, name);
    }),
    s('text', { class: 'unit', x: 0, y: foot }, timeline.kind === 'train' ? '↑ shard' : '↑ part'),
    s(
      'text',
      { class: 'unit', x: box.right, y: foot, 'text-anchor': 'end' },
      `since ${clock(range.from * 1000)}`,
    ),
  ];
}

/**
 * @param {SVGSVGElement} svg
 * @param {JobTimeline} timeline
 * @param {readonly Item[]} items of the timeline
 * @param {number} width pixels
 * @param {number | null} at which of those that can be pointed at is
 */
export function drawTimelineChart(svg, timeline, items, width, at) {
  const layout = layoutOf(timeline, items, width);
  let told = 0;
  svg.setAttribute('height', String(layout.height));
  svg.setAttribute('viewBox', `0 0 ${width} ${layout.height}`);
  svg.setAttribute('aria-label', summaryOf(timeline, items));
  svg.replaceChildren(
    patterns(),
    ...rounds(timeline, layout),
    ...axes(timeline, layout, width),
    ...commits(timeline, layout),
    ...items.map((item) => {
      const index = isTold(item) ? told++ : undefined;
      return markOf(item, layout.barOf(item), index, index !== undefined && index === at);
    }),
  );
}
