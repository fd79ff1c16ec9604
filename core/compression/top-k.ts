/** The elements of largest magnitude, exactly and in a fixed order, and their places in few bytes. */
import { Fault } from '../errors.ts';

const MAGNITUDE = 0x7fff_ffff;
const LOW_BITS = 16;

/**
 * @param k 1 to the vector's length
 * @returns places, ascending; of equal magnitudes those that come first
 */
export function largestPlaces(values: Float32Array, k: number): Uint32Array {
  // The bits of a positive float32, read as an integer, are in the order of the numbers.
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const high = countdown(bits, k, 2 ** (31 - LOW_BITS), (magnitude) => magnitude >>> LOW_BITS);
  const low = countdown(bits, high.wanted, 2 ** LOW_BITS, (magnitude) =>
    magnitude >>> LOW_BITS === high.bin ? magnitude & 0xffff : -1,
  );
  const threshold = high.bin * 2 ** LOW_BITS + low.bin;
  const places = new Uint32Array(k);
  let ties = low.wanted;
  let found = 0;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & MAGNITUDE;
    if (magnitude < threshold || (magnitude === threshold && ties-- <= 0)) continue;
    places[found++] = i;
  }
  return places;
}

/** The bin in which the k-th largest lies, and how many of that bin are among the k. */
function countdown(
  bits: Uint32Array,
  k: number,
  bins: number,
  binOf: (magnitude: number) => number,
): { readonly bin: number; readonly wanted: number } {
  const counts = new Uint32Array(bins);
  for (let i = 0; i < bits.length; i++) {
    const bin = binOf(bits[i]! & MAGNITUDE);
    if (bin >= 0) counts[bin]! += 1;
  }
  let wanted = k;
  let bin = bins - 1;
  while (bin > 0 && counts[bin]! < wanted) wanted -= counts[bin--]!;
  return { bin, wanted };
}

/** Gaps between ascending places as variable-length integers (LEB128): of one in a hundred, mostly a byte each. */
export function encodePlaces(places: Uint32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(places.length * 5);
  let end = 0;
  let next = 0;
  for (const place of places) {
    let gap = place - next;
    next = place + 1;
    for (; gap >= 0x80; gap = Math.floor(gap / 0x80)) bytes[end++] = (gap & 0x7f) | 0x80;
    bytes[end++] = gap;
  }
  return bytes.slice(0, end);
}

/** @throws Fault `invalid` where the bytes are not the places of `count` among `length` elements */
export function decodePlaces(bytes: Uint8Array, count: number, length: number): Uint32Array {
  const places = new Uint32Array(count);
  let at = 0;
  let next = 0;
  for (let i = 0; i < count; i++) {
    let gap = 0;
    let unit = 1;
    let byte: number;
    do {
      byte = bytes[at++] ?? 0;
      gap += (byte & 0x7f) * unit;
      unit *= 0x80;
    } while (byte >= 0x80);
    const place = next + gap;
    if (place >= length) throw new Fault('invalid', `place ${place} is outside a vector of ${length}`);
    places[i] = place;
    next = place + 1;
  }
  if (at !== bytes.length)
    throw new Fault('invalid', `${bytes.length} bytes hold other than ${count} places`);
  return places;
}
