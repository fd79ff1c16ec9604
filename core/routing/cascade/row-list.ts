/** Rows of a batch as a header value: `none`, `0-3,7`, or `all`. */

/**
 * Characters. A Worker's and a function's headers hold 16 KB and 8 KB together; a list that is longer says `all`, and
 * rows that were easy are asked as well.
 */
export const LONGEST_LIST = 2_048;

/** @param hard indices below `rows`, ascending */
export function writeRows(hard: readonly number[], rows: number): string {
  if (hard.length === 0) return 'none';
  if (hard.length === rows) return 'all';
  const ranges: string[] = [];
  for (let i = 0; i < hard.length;) {
    const first = hard[i]!;
    let last = first;
    while (hard[++i] === last + 1) last += 1;
    ranges.push(first === last ? String(first) : `${first}-${last}`);
  }
  const list = ranges.join(',');
  return list.length > LONGEST_LIST ? 'all' : list;
}

const RANGE = /^(\d{1,7})(?:-(\d{1,7}))?$/;

/** The reverse. @returns indices, ascending; undefined where it is no list of ours */
export function readRows(text: string): readonly number[] | 'all' | undefined {
  if (text === 'all') return 'all';
  if (text === 'none') return [];
  const rows: number[] = [];
  for (const range of text.split(',')) {
    const [, start, end = start] = RANGE.exec(range) ?? [];
    if (start === undefined || Number(start) <= (rows.at(-1) ?? -1) || Number(end) < Number(start))
      return undefined;
    for (let row = Number(start); row <= Number(end); row++) rows.push(row);
  }
  return rows;
}
