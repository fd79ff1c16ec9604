/** Where a timeline's items go, and what it says in a sentence. Pure. Times are Unix seconds, lengths pixels. */
import { plural, took } from './format.js';
import { secondsOf } from './timeline-items.js';
/** @import { Item, JobTimeline } from './types.ts' */

const LEFT = 50;
const RIGHT = 12;
/** Below the rows, for the unit. */
const FOOT = 22;

/** A row's height by how many there are; the last holds for all that are more. */
const ROW_HEIGHTS = [
  { upTo: 12, height: 22, lane: 10 },
  { upTo: 24, height: 16, lane: 6 },
  { upTo: 48, height: 11, lane: 6 },
  { upTo: Infinity, height: 7, lane: 6 },
];

/** An axis counts in what its length is read in. */
const UNITS = [
  { below: 180, name: 's', seconds: 1 },
  { below: 10_800, name: 'min', seconds: 60 },
  { below: Infinity, name: 'h', seconds: 3600 },
];

/** Rounds, or parts, that can be asked for. @param {JobTimeline} timeline */
export const totalOf = (timeline) => (timeline.kind === 'train' ? timeline.begun : timeline.parts);

/**
 * From the first thing that happened to the last; of a job without rounds from its plan.
 * @param {JobTimeline} timeline
 * @param {readonly Item[]} items
 */
export function rangeOf(timeline, items) {
  const now = secondsOf(timeline.now);
  const planned = timeline.plannedAt === undefined ? now : secondsOf(timeline.plannedAt);
  const first = items.reduce((least, { from }) => Math.min(least, from), Infinity);
  const from = timeline.kind === 'train' ? Math.min(first, now) : Math.min(first, planned);
  const to = items.length === 0 ? now : items.reduce((most, item) => Math.max(most, item.to), from);
  return { from, to, length: Math.max(0.001, to - from) };
}

/**
 * @param {JobTimeline} timeline
 * @param {readonly Item[]} items
 * @param {number} width
 */
export function layoutOf(timeline, items, width) {
  const isTrain = timeline.kind === 'train';
  const rows = isTrain ? timeline.shards + 1 : timeline.page.length;
  const lanes = isTrain ? timeline.overlap : 1;
  const size = ROW_HEIGHTS.find(({ upTo }) => rows <= upTo) ?? { height: 7, lane: 6 };
  const rowHeight = Math.max(lanes * size.lane, size.height);
  const range = rangeOf(timeline, items);
  const top = isTrain ? 38 : 22;
  const box = { left: LEFT, right: Math.max(LEFT + 1, width - RIGHT), top, bottom: top + rows * rowHeight };
  const gap = rowHeight > 9 ? 4 : 1;
  const laneHeight = (rowHeight - gap) / lanes;
  return {
    box,
    range,
    rows,
    rowHeight,
    laneHeight,
    height: box.bottom + FOOT,
    unit: UNITS.find(({ below }) => range.length < below) ?? { name: 'h', seconds: 3600 },
    /** @param {number} at */
    px: (at) => box.left + ((at - range.from) / range.length) * (box.right - box.left),
    /** Narrow ones are still to be seen. @param {Item} item */
    barOf: ({ from, to, row, lane }) => {
      const x = box.left + ((from - range.from) / range.length) * (box.right - box.left);
      const wide = ((to - from) / range.length) * (box.right - box.left);
      return {
        x,
        y: box.top + row * rowHeight + gap / 2 + lane * laneHeight,
        width: Math.max(2, wide),
        height: Math.max(2, laneHeight - (lanes > 1 ? 1 : 0)),
      };
    },
  };
}
/** @typedef {ReturnType<typeof layoutOf>} Layout */

/**
 * Rows that have room for their name, by what it is. Above the merge's there may be none for a shard's.
 * @param {JobTimeline} timeline
 * @param {Pick<Layout, 'rows' | 'rowHeight'>} layout
 * @returns {{ row: number, name: string }[]}
 */
export function rowNames(timeline, { rows, rowHeight }) {
  const every = Math.ceil(14 / rowHeight);
  const named = Array.from({ length: rows }, (_, row) => row).filter((row) => row % every === 0);
  if (timeline.kind !== 'train') return named.map((row) => ({ row, name: String(timeline.first + row) }));
  const shards = named.filter((row) => row + every < rows).map((row) => ({ row, name: String(row) }));
  return [...shards, { row: rows - 1, name: 'merge' }];
}

/**
 * @param {JobTimeline} timeline
 * @param {readonly Item[]} items
 */
export function summaryOf(timeline, items) {
  const { from, to } = rangeOf(timeline, items);
  /** @param {(item: Item) => boolean} is */
  const of = (is) => items.filter(is).length;
  const executions = of(({ kind }) => kind === 'bar' || kind === 'late');
  /** @type {[number, string][]} */
  const others = [
    [of((item) => 'pattern' in item && item.pattern === 'copy'), 'by a backup copy'],
    [of((item) => 'pattern' in item && item.pattern === 'again'), 'delivered again'],
    [of(({ kind }) => kind === 'link'), 'handed on'],
    [of(({ kind }) => kind === 'gone'), 'missing'],
    [of(({ kind }) => kind === 'open'), 'open'],
  ];
  const last = timeline.first + timeline.page.length - 1;
  const what =
    timeline.kind === 'train'
      ? `rounds ${timeline.first} to ${last} of ${plural(timeline.shards, 'shard')}`
      : `parts ${timeline.first} to ${last}`;
  const said = others.filter(([n]) => n > 0).map(([n, name]) => `, ${n} ${name}`);
  return `Timeline of ${what}: ${plural(executions, 'execution')} in ${took(to - from)}${said.join('')}.`;
}
