/** One byte range: RFC 9110, section 14.1.2. */

export type AskedRange =
  | { readonly offset: number; readonly length: number }
  | { readonly offset: number }
  | { readonly suffix: number };

/** @returns undefined where there is none, or one that S3 ignores: another unit, several ranges, nonsense */
export function parseRange(header: string | null): AskedRange | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.replaceAll(' ', '') ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') return { suffix: Number(last) };
  if (last === '') return { offset: Number(first) };
  const length = Number(last) - Number(first) + 1;
  return length > 0 ? { offset: Number(first), length } : undefined;
}

/** First and last byte of what a range selects. @returns undefined where it selects nothing */
export function resolveRange(
  range: AskedRange,
  size: number,
): { readonly first: number; readonly last: number } | undefined {
  const [first, end] =
    'suffix' in range
      ? [Math.max(0, size - range.suffix), size]
      : [range.offset, 'length' in range ? Math.min(size, range.offset + range.length) : size];
  return first < end ? { first, last: end - 1 } : undefined;
}
