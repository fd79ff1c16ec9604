/**
 * The items of a `map` job, where they are a blob of JSON Lines: how many there are, where each part's lie, and the
 * values of one part. Whoever looks at the whole keeps bytes alone: as values, 64 MiB of `[0]` take a gigabyte.
 */
import type { Range } from '../jobs/schedule.ts';
import type { ByteRange } from '../storage/object-store.ts';
import { Fault } from '../errors.ts';

/** Bytes of a blob of items: what a function of the fleet holds in memory. */
export const MAX_ITEM_BYTES = 64 * 1024 * 1024;
/** Bytes of one item: its value may take some fifteen times as many. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;

const FIELD = 'items.blob';
const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
/** Space, tab and CR of RFC 8259: what may stand in a line that is no item. */
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d]);

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads all items and keeps none.
 * @returns how many there are
 * @throws Fault `unprocessable`, field `items.blob`, naming the line that is too long, no UTF-8 (and its byte) or no JSON
 */
export function countItems(blob: Uint8Array): number {
  let count = 0;
  for (const line of itemLines(blob)) {
    parseItem(blob, line);
    count += 1;
  }
  if (count === 0) throw refusal('it has no items');
  return count;
}

/**
 * @param parts runs of items, in order and without gaps
 * @returns of each part the bytes that its items lie in
 */
export function cutItems(blob: Uint8Array, parts: readonly Range[]): ByteRange[] {
  const cut: ByteRange[] = [];
  let item = 0;
  let start = 0;
  for (const line of itemLines(blob)) {
    const part = parts[cut.length];
    if (part === undefined) break;
    if (item === part.start) start = line.start;
    item += 1;
    if (item === part.end) cut.push({ start, end: line.end });
  }
  return cut;
}

/** @param range which of the items; default: all. @throws Fault as {@link countItems} */
export function itemsIn(blob: Uint8Array, { start, end }: Range = { start: 0, end: Infinity }): unknown[] {
  const items: unknown[] = [];
  let at = 0;
  for (const line of itemLines(blob)) {
    if (at >= end) break;
    if (at >= start) items.push(parseItem(blob, line));
    at += 1;
  }
  return items;
}

interface Line extends ByteRange {
  /** From 1. */
  readonly number: number;
}

/** Lines that are not empty, without their ends. */
function* itemLines(blob: Uint8Array): Generator<Line> {
  let start = BYTE_ORDER_MARK.every((byte, i) => blob[i] === byte) ? BYTE_ORDER_MARK.length : 0;
  for (let number = 1; start < blob.length; number++) {
    const found = blob.indexOf(NEWLINE, start);
    const end = found < 0 ? blob.length : found;
    if (!isBlank(blob, start, end)) yield { number, start, end };
    start = end + 1;
  }
}

function isBlank(blob: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!BLANKS.has(blob[at]!)) return false;
  return true;
}

function parseItem(blob: Uint8Array, { number, start, end }: Line): unknown {
  if (end - start > MAX_LINE_BYTES)
    throw refusal(`line ${number} has ${end - start} bytes; at most ${MAX_LINE_BYTES} are allowed`);
  const bytes = blob.subarray(start, end);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw refusal(`line ${number} is not UTF-8 at its byte ${badByte(bytes)}`, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refusal(`line ${number} is not JSON`, cause);
  }
}

/** @returns of what is no UTF-8 the byte, from 1, up to which it still could have been */
function badByte(bytes: Uint8Array): number {
  // The longest beginning that decodes, by bisection: whatever follows a bad byte does not either.
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (decodes(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  return bad;
}

function decodes(beginning: Uint8Array): boolean {
  try {
    // A decoder of its own: a stream's state would outlive it. Characters cut at the end are no fault of the beginning.
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(beginning, { stream: true });
    return true;
  } catch {
    return false;
  }
}

const refusal = (message: string, cause?: unknown) =>
  new Fault('unprocessable', `${FIELD}: ${message}`, { field: FIELD, cause });
