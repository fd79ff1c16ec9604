/** IEEE 754 binary16 as bits, rounded to nearest, ties to even. */

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** @param value a float32; from 65,520 on it becomes an infinity */
export function float16Bits(value: number): number {
  float[0] = value;
  const bits = word[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00;
  // 2^16 and more. What lies below it and still rounds up to it carries into the exponent by itself.
  if (magnitude >= 0x4780_0000) return sign | 0x7c00;
  if (magnitude < 0x3880_0000) {
    // Below 2^-14: beside 0.5 a float32's last place is 2^-24, the denormals' step, so the addition does the rounding.
    float[0] = Math.abs(value) + 0.5;
    return sign | (word[0]! - 0x3f00_0000);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x3800_0000) >>> 13);
}

export function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let table: Float32Array | undefined;

/** {@link float16Value} of all bits there are: 256 KiB, made when it is first wanted. */
export const float16Values = (): Float32Array =>
  (table ??= Float32Array.from({ length: 0x1_0000 }, (_, bits) => float16Value(bits)));
