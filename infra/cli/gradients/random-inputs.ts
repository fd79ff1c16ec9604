/** Inputs made up for a gradient check: floats from a standard normal, integers from a range, the same for one seed. */
import { InvalidArgumentError } from 'commander';
import { Fault } from '../../../core/errors.ts';
import { createRandom, type Random } from '../../../core/random.ts';
import { elementCount, type TensorSpec, type TensorValue } from '../../../core/tensors/tensor.ts';
import { elements } from './inputs.ts';

/** Inclusive. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Where a dimension is symbolic. Two: with one, a sum over it could be forgotten unseen. */
const SYMBOLIC = 2;
/** Class and token ids that every model knows. */
const DEFAULT_RANGE: Range = { low: 0, high: 1 };

/** `--range name=lo..hi`, given several times. */
export function addRange(text: string, known: ReadonlyMap<string, Range>): Map<string, Range> {
  const match = /^(.+)=(-?[\d.]+)\.\.(-?[\d.]+)$/.exec(text);
  const [low, high] = [Number(match?.[2]), Number(match?.[3])];
  if (match === null || !(low <= high))
    throw new InvalidArgumentError('It must be name=lo..hi, lo at most hi.');
  return new Map(known).set(match[1]!, { low, high });
}

/** @throws Fault `invalid` for a range of no input, or one that its element type does not hold */
export function randomInputs(
  wanted: readonly TensorSpec[],
  ranges: ReadonlyMap<string, Range>,
  seed: number,
): Record<string, TensorValue> {
  const stray = [...ranges.keys()].find((name) => !wanted.some((input) => input.name === name));
  if (stray !== undefined)
    throw new Fault('invalid', `--range: the model has no input ${stray}`, { field: 'range' });
  return Object.fromEntries(
    wanted.map((spec, i) => [spec.name, randomValue(spec, ranges.get(spec.name), createRandom(seed, 1, i))]),
  );
}

function randomValue(
  { name, dtype, shape }: TensorSpec,
  range: Range | undefined,
  random: Random,
): TensorValue {
  const dimensions = shape.map((dimension) => (typeof dimension === 'string' ? SYMBOLIC : dimension));
  const isFloating = dtype === 'F32' || dtype === 'F64';
  const draw = isFloating ? drawFloat(random, range) : drawInteger(random, range ?? DEFAULT_RANGE, name);
  const numbers = Array.from({ length: elementCount(dimensions) }, draw);
  return { dtype, shape: dimensions, data: elements(name, dtype, numbers) };
}

function drawFloat(random: Random, range: Range | undefined): () => number {
  if (range === undefined) return random.normal;
  return () => range.low + (range.high - range.low) * random.uniform();
}

function drawInteger(random: Random, { low, high }: Range, name: string): () => number {
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high))
    throw new Fault('invalid', `--range: ${name} holds integers: lo and hi must be whole numbers`, {
      field: 'range',
    });
  return () => low + random.below(high - low + 1);
}
