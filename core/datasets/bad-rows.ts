/** Rows that cannot be read: counted, the first of them kept, and never more of them than are allowed. */
import type { LeftOutRows } from '../contracts/dataset.ts';
import { Fault } from '../errors.ts';

/** How many are listed one by one; and of those after them, how many reasons. */
const LISTED = 10;
/** Beyond what is allowed: so many wrong rows are a wrong option, and the rest of the file is not worth reading. */
const GIVE_UP_AFTER = 1000;

export interface BadRows {
  /** @param place such as `iris.csv line 7` @throws Fault `invalid` where there is no end of them */
  report(place: string, reason: string): void;
  /** @throws Fault `invalid` with the first of them where they are more than allowed */
  check(): void;
  /** @returns undefined where there is none */
  leftOut(): LeftOutRows | undefined;
}

type WrongRow = LeftOutRows['first'][number];

const line = ({ place, reason }: WrongRow) => `  ${place}: ${reason}`;

/** In words, a line each. */
export const listed = ({ count, first }: LeftOutRows): string =>
  [...first.map(line), ...(count > first.length ? [`  and ${count - first.length} more`] : [])].join('\n');

/** @param message of what is wrong for want of rows: those that were left out are why */
export const wanting = (message: string, leftOut: LeftOutRows | undefined): string =>
  leftOut === undefined
    ? message
    : `${message}; ${leftOut.count} ${leftOut.count === 1 ? 'was' : 'were'} left out:\n${listed(leftOut)}`;

/** @param allowed how many may be left out */
export function badRows(allowed: number): BadRows {
  const first: WrongRow[] = [];
  /** Of those that are not listed one by one, by reason. */
  const others = new Map<string, { readonly place: string; rows: number }>();
  let count = 0;
  const refuse = (isAll: boolean): never => {
    const lines = first.map(line);
    let more = count - first.length;
    for (const [reason, { place, rows }] of others) {
      lines.push(line({ place: rows === 1 ? place : `${place} and ${rows - 1} more`, reason }));
      more -= rows;
    }
    if (more > 0) lines.push(`  and ${more} more`);
    const rows = `${count}${isAll ? '' : ' or more'} ${count === 1 ? 'row' : 'rows'}`;
    const limit = allowed === 0 ? '' : `, more than the ${allowed} that may be left out`;
    throw new Fault(
      'invalid',
      `${rows} cannot be read${limit}; nothing was imported:\n${lines.join('\n')}\n` +
        'Mend them, or leave such rows out with --max-bad-rows N or --skip-bad-rows.',
      { field: 'rows' },
    );
  };
  return {
    report(place, reason) {
      count++;
      const alike = others.get(reason);
      if (first.length < LISTED) first.push({ place, reason });
      else if (alike !== undefined) alike.rows++;
      else if (others.size < LISTED) others.set(reason, { place, rows: 1 });
      if (count >= allowed + GIVE_UP_AFTER) refuse(false);
    },
    check() {
      if (count > allowed) refuse(true);
    },
    leftOut: () => (count === 0 ? undefined : { count, first }),
  };
}
