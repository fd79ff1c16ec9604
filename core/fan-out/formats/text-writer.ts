/** A text as the bytes of its UTF-8, made number by number: a string for each cell would cost more than the model. */

export interface TextWriter {
  /** One character of ASCII, by its code. */
  byte(code: number): void;
  bytes(some: Uint8Array): void;
  text(text: string): void;
  /** @param value a whole number, not below 0 */
  integer(value: number): void;
  /**
   * A float32 as JavaScript spells its nine significant digits (core/fan-out/formats/numbers.ts), where that can be told
   * without long arithmetic. @returns false, and nothing is written, where it cannot
   */
  float32(value: number): boolean;
  /** In memory of their own; the last thing that is asked. */
  result(): Uint8Array<ArrayBuffer>;
}

const [ZERO, POINT, MINUS] = [0x30, 0x2e, 0x2d];
/** Bytes that any number takes at most: a sign, ten digits before the point, or 13 behind it. */
const LONGEST = 32;
const encoder = new TextEncoder();

/** `000` … `999`. */
const THREE_DIGITS = encoder.encode(
  Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0')).join(''),
);

/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 14 }, (_, exponent) => Number(`1e${exponent}`));
/** `1e-5` … `1e6`: below each of them a digit more stands behind the point, of nine. */
const BORDERS = Array.from({ length: 12 }, (_, i) => Number(`1e${i - 4}`));
const LOWEST = 1e-5;
/** Whole numbers beyond it are left to JavaScript. */
const HIGHEST = 2 ** 31;
/**
 * How near to a half is too near. A value times a power of ten is below 2³⁰, so the product is at most 2⁻²⁴ from the true
 * one, and further than this from a half it rounds as that does.
 */
const UNSURE = 1e-6;

/** @param expected bytes that will about be written: memory is taken once */
export function textWriter(expected = 256): TextWriter {
  let buffer = new Uint8Array(Math.max(LONGEST, expected));
  let at = 0;

  const reserve = (bytes: number) => {
    if (at + bytes <= buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * buffer.length, at + bytes));
    larger.set(buffer);
    buffer = larger;
  };
  /** @param value below 2³¹ */
  const digits = (value: number) => {
    const bytes = buffer;
    let end = at + 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end += 1;
    at = end;
    for (let rest = value; end > 0; rest = (rest / 10) | 0) {
      bytes[--end] = ZERO + (rest % 10);
      if (rest < 10) break;
    }
  };
  const text = (text: string) => {
    // Of a UTF-16 unit come three bytes at most.
    reserve(3 * text.length);
    at += encoder.encodeInto(text, buffer.subarray(at)).written;
  };
  return {
    byte(code) {
      reserve(1);
      buffer[at++] = code;
    },
    bytes(some) {
      reserve(some.length);
      buffer.set(some, at);
      at += some.length;
    },
    text,
    integer(value) {
      if (value >= HIGHEST) return text(String(value));
      reserve(LONGEST);
      digits(value);
    },
    float32(value) {
      const size = Math.abs(value);
      if (Number.isInteger(value)) {
        if (size >= HIGHEST) return false;
        reserve(LONGEST);
        if (value < 0) buffer[at++] = MINUS;
        digits(size);
        return true;
      }
      // Not so where it is no number. Those that are no whole ones are below 2²³.
      if (!(size >= LOWEST && size < 2 ** 23)) return false;
      let decimals = 13;
      for (let i = 0; i < BORDERS.length && size >= BORDERS[i]!; i++) decimals -= 1;
      const scaled = size * POWERS[decimals]!;
      let nine = scaled | 0;
      const rest = scaled - nine;
      if (Math.abs(rest - 0.5) < UNSURE) return false;
      if (rest > 0.5) nine = (nine + 1) | 0;
      for (let tenth = (nine / 10) | 0; tenth * 10 === nine; tenth = (nine / 10) | 0) {
        nine = tenth;
        decimals -= 1;
      }
      if (decimals <= 0) return false;
      reserve(LONGEST);
      if (value < 0) buffer[at++] = MINUS;
      let fraction = nine;
      if (size < 1) buffer[at++] = ZERO;
      else {
        const power = POWERS[decimals]!;
        const whole = (nine / power) | 0;
        digits(whole);
        fraction = (nine - whole * power) | 0;
      }
      const bytes = buffer;
      let i = at + decimals;
      bytes[at] = POINT;
      at = i + 1;
      // Three at a time.
      let left = decimals;
      for (; left >= 3; left -= 3) {
        const above = (fraction / 1000) | 0;
        const code = 3 * (fraction - above * 1000);
        bytes[i] = THREE_DIGITS[code + 2]!;
        bytes[i - 1] = THREE_DIGITS[code + 1]!;
        bytes[i - 2] = THREE_DIGITS[code]!;
        fraction = above;
        i -= 3;
      }
      for (; left > 0; left--) {
        const above = (fraction / 10) | 0;
        bytes[i--] = ZERO + fraction - above * 10;
        fraction = above;
      }
      return true;
    },
    // Shortened where it lies. The writer is then at its end.
    result: () => new Uint8Array(buffer.buffer.transfer(at)),
  };
}
