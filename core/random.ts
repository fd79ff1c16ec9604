/**
 * Seeded pseudo-random numbers with the same bits on every engine: xoshiro128** 1.1 (Blackman & Vigna 2021,
 * "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47:4), its state filled by hashing the seed and the
 * stream numbers with the MurmurHash3 finalizer. Not for secrets.
 *
 * Nothing here calls Math.log or Math.cos: ECMAScript leaves their last bits to the implementation.
 */
import { Fault } from './errors.ts';

export interface Random {
  /** 32 random bits as an unsigned integer. */
  readonly bits: () => number;
  /** Uniform in [0, 1), a multiple of 2^-32. */
  readonly uniform: () => number;
  /** Uniform integer in [0, bound), without bias. @param bound 1 to 2^32 */
  readonly below: (bound: number) => number;
  /** Standard normal, by the polar method (Marsaglia & Bray 1964). */
  readonly normal: () => number;
}

const TWO_32 = 0x1_0000_0000;

const rotateLeft = (x: number, k: number) => (x << k) | (x >>> (32 - k));

/** MurmurHash3's 32-bit finalizer: a bijection in which every input bit reaches every output bit. */
function mix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function checkWord(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value >= TWO_32)
    throw new Fault('invalid', `${name} is ${value}: it must be an integer from 0 to 2^32 - 1`, {
      field: name,
    });
}

/** Natural logarithm of 0 < x ≤ 1 by arithmetic alone: x = m·2^e, ln m = 2·artanh((m-1)/(m+1)) as its series. */
function ln(x: number): number {
  let exponent = 0;
  let mantissa = x;
  while (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent -= 1;
  }
  const z = (mantissa - 1) / (mantissa + 1);
  const square = z * z;
  let sum = 0;
  // |z| ≤ 0.172: the term after z^23 is below 2^-60.
  for (let k = 23; k >= 1; k -= 2) sum = sum * square + 1 / k;
  return 2 * z * sum + exponent * Math.LN2;
}

/**
 * @param seed 0 to 2^32 - 1
 * @param stream further such numbers (shard, epoch …); each tuple gives an independent sequence
 */
export function createRandom(seed: number, ...stream: readonly number[]): Random {
  checkWord('seed', seed);
  stream.forEach((word, i) => checkWord(`stream[${i}]`, word));
  let hash = mix(stream.length + 1);
  for (const word of [seed, ...stream]) hash = mix((hash + 0x9e3779b9) ^ mix(word + 0x7f4a7c15));
  const fill = () => mix((hash = (hash + 0x9e3779b9) | 0));
  let a = fill();
  let b = fill();
  let c = fill();
  let d = fill();
  // The all-zero state is the one the generator cannot leave.
  if ((a | b | c | d) === 0) a = 1;
  let spare: number | undefined;

  function bits(): number {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  }
  const uniform = () => bits() / TWO_32;
  function below(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > TWO_32)
      throw new Fault('invalid', `bound is ${bound}: it must be an integer from 1 to 2^32`, {
        field: 'bound',
      });
    const limit = TWO_32 - (TWO_32 % bound);
    let draw = bits();
    while (draw >= limit) draw = bits();
    return draw % bound;
  }
  function normal(): number {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const radius = x * x + y * y;
      if (radius === 0 || radius >= 1) continue;
      const scale = Math.sqrt((-2 * ln(radius)) / radius);
      spare = y * scale;
      return x * scale;
    }
  }
  return { bits, uniform, below, normal };
}

/** A uniformly random order of 0 … n-1 (Fisher & Yates, as Durstenfeld 1964). */
export function permutation(n: number, random: Random): Uint32Array<ArrayBuffer> {
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}
