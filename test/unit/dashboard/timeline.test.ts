import { describe, expect, it } from 'vitest';
import { isTold, itemsOf } from '../../../functions/router/dashboard/timeline-items.js';
import {
  layoutOf,
  rangeOf,
  rowNames,
  summaryOf,
} from '../../../functions/router/dashboard/timeline-layout.js';
import { batchTimelineAt, timelineAt } from '../../e2e/dashboard-timelines.ts';

const near = (value: number) => expect.closeTo(value, 2) as number;

describe('what a timeline has to draw', () => {
  const timeline = timelineAt(9);
  const items = itemsOf(timeline);
  const start = Date.parse(timeline.plannedAt!) / 1000;
  const of = (name: string) => items.filter(isTold).filter(({ words }) => words.startsWith(`${name}:`));

  it('an execution, with the wait before it', () => {
    const [wait, bar] = items;
    expect(wait).toMatchObject({ kind: 'wait', row: 0, lane: 0, from: near(start), to: near(start + 0.05) });
    expect(bar).toMatchObject({ kind: 'bar', tone: 'train', label: 'worker-0', from: near(start + 0.05) });
    expect(bar!.to - bar!.from).toBeCloseTo(1.05, 6);
  });

  it('one handed on: both executions, linked', () => {
    expect(of('round 2, shard 1')).toHaveLength(2);
    const links = items.filter(({ kind }) => kind === 'link');
    expect(links).toEqual([
      { kind: 'link', row: 1, lane: 0, from: near(start + 3.47), to: near(start + 3.57) },
    ]);
  });

  it.each([
    ['round 4, shard 3', { kind: 'bar', tone: 'cloud', pattern: 'copy', label: 'copy 1 · worker-1' }],
    ['round 5, shard 0', { kind: 'bar', tone: 'edge', pattern: 'again' }],
    ['round 6, shard 2', { kind: 'gone' }],
    ['round 7, shard 2', { kind: 'gone' }],
    ['round 8, shard 2', { kind: 'late', tone: 'bad' }],
    ['round 9, shard 3', { kind: 'open' }],
  ])('%s is told apart', (name, look) => {
    expect(of(name)).toEqual([expect.objectContaining(look)]);
  });

  it('a round’s merge in a row of its own, back from its commit', () => {
    const [commit] = of('round 0');
    expect(commit).toMatchObject({ kind: 'commit', row: 4, to: near(start + 1.5) });
    expect(commit!.to - commit!.from).toBeCloseTo(0.18, 6);
    const [first] = timeline.page;
    const shared = itemsOf({ ...timeline, page: [{ ...first!, mergers: 3, mergeSeconds: 0.9 }] }).filter(
      isTold,
    );
    expect(shared.at(-1)!.words).toContain('merged in 900 ms by 3 mergers together');
    expect(shared.at(-1)!.to - shared.at(-1)!.from).toBeCloseTo(0.3, 6);
  });

  it('what is open ends with the job', () => {
    const endedAt = new Date((start + 20) * 1000).toISOString();
    const [open] = itemsOf(timelineAt(9, { endedAt }))
      .filter(isTold)
      .filter(({ kind }) => kind === 'open');
    expect(open!.words).toContain('no update when the job ended');
  });

  it('parts, in rows of their own, without waits', () => {
    const parts = itemsOf(batchTimelineAt(3));
    expect(parts.map(({ kind, row }) => [kind, row])).toEqual([
      ['bar', 0],
      ['bar', 1],
      ['bar', 2],
    ]);
  });
});

describe('where it goes', () => {
  const timeline = timelineAt(9);
  const items = itemsOf(timeline);

  it('every bar lies in its row and in the chart, and none is too thin to be seen', () => {
    for (const overlap of [1, 3]) {
      const overlapping = { ...timeline, overlap };
      const all = itemsOf(overlapping);
      const { box, rowHeight, barOf } = layoutOf(overlapping, all, 800);
      for (const item of all) {
        const bar = barOf(item);
        expect(bar.x).toBeGreaterThanOrEqual(box.left - 1e-6);
        expect(bar.x + bar.width).toBeLessThanOrEqual(box.right + 2);
        expect(bar.y).toBeGreaterThanOrEqual(box.top + item.row * rowHeight);
        expect(bar.y + bar.height).toBeLessThanOrEqual(box.top + (item.row + 1) * rowHeight);
        expect(bar.width).toBeGreaterThanOrEqual(2);
      }
    }
  });

  it('from the first moment to the last, along its width', () => {
    const { box, range, px, unit } = layoutOf(timeline, items, 800);
    expect(px(range.from)).toBe(box.left);
    expect(px(range.to)).toBeCloseTo(box.right, 9);
    expect(unit.name).toBe('s');
    const from = Date.parse(timeline.plannedAt!);
    const hour = { ...timeline, now: new Date(from + 3_600_000).toISOString() };
    expect(layoutOf(hour, itemsOf(hour), 800).unit.name).toBe('min');
  });

  it('of a job without an execution yet there is a range too', () => {
    const none = batchTimelineAt(0);
    expect(rangeOf(none, itemsOf(none)).length).toBeCloseTo(2, 1);
    const planned = timelineAt(0, { page: [] });
    expect(rangeOf(planned, [])).toMatchObject({ length: 0.001 });
  });

  it('rows keep their names apart', () => {
    expect(rowNames(timeline, layoutOf(timeline, items, 800)).map(({ name }) => name)).toEqual([
      '0',
      '1',
      '2',
      '3',
      'merge',
    ]);
    const many = { ...timeline, shards: 100 };
    const { rowHeight, rows } = layoutOf(many, items, 800);
    const named = rowNames(many, { rowHeight, rows });
    named
      .slice(1)
      .forEach(({ row }, i) => expect((row - named[i]!.row) * rowHeight).toBeGreaterThanOrEqual(14));
    expect(named.at(-1)).toEqual({ row: 100, name: 'merge' });
  });

  it('in a sentence', () => {
    expect(summaryOf(timeline, items)).toMatch(
      /^Timeline of rounds 0 to 9 of 4 shards: 38 executions in 14\.\d s, 1 by a backup copy, 1 delivered again, 1 handed on, 2 missing, 2 open\.$/,
    );
    const parts = batchTimelineAt(3);
    expect(summaryOf(parts, itemsOf(parts))).toBe('Timeline of parts 0 to 7: 3 executions in 850 ms.');
  });
});
