/** Padding: what was added is cut off again and, where it was a copy, added to what it was copied from. */
import { stringAttribute } from '../../onnx/attributes.ts';
import { positiveAxis, range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

/** A stretch of the padded axis, and where on the original axis its elements come from. */
interface Run {
  readonly start: number;
  readonly length: number;
  /** The original position of its first element. */
  readonly from: number;
  /** From one element to the next: forwards, backwards, or the same one again and again. */
  readonly step: 1 | -1 | 0;
}

/** The original position, of `size`, that a padded one copies; `at` counts from the first original one. */
const SOURCES: Readonly<Record<string, (at: number, size: number) => number>> = {
  edge: (at, size) => Math.min(Math.max(at, 0), size - 1),
  reflect: (at, size) => {
    const period = Math.max(2 * (size - 1), 1);
    const phase = ((at % period) + period) % period;
    return Math.min(phase, period - phase) % size;
  },
  wrap: (at, size) => ((at % size) + size) % size,
};

/** Maximal runs of a map from padded to original positions. */
function runsOf(sources: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (const [start, from] of sources.entries()) {
    const last = runs.at(-1);
    const step = last === undefined ? undefined : from - sources[start - 1]!;
    const isNear = step === 1 || step === -1 || step === 0;
    if (last !== undefined && isNear && (last.length === 1 || last.step === step))
      runs[runs.length - 1] = { ...last, length: last.length + 1, step };
    else runs.push({ start, length: 1, from, step: 1 });
  }
  return runs;
}

/** The gradient along one axis, each run taken back to where it came from. */
function fold(c: RuleContext, d: string, axis: number, rank: number, size: number, runs: readonly Run[]) {
  const { ops } = c;
  const slice = (start: number, end: number, step: number) =>
    ops.op('Slice', [d, ops.ints([start]), ops.ints([end]), ops.ints([axis]), ops.ints([step])]);
  const parts = runs.map(({ start, length, from, step }) => {
    // Backwards from the first element of an axis ends before it, which a negative end below all counts says.
    const before = start === 0 ? -(2 ** 31) : start - 1;
    const run = step === -1 ? slice(start + length - 1, before, -1) : slice(start, start + length, 1);
    const value = step === 0 ? ops.sum(run, [axis], true) : run;
    const covered = step === 0 ? 1 : length;
    const low = step === -1 ? from - length + 1 : from;
    if (covered === size) return value;
    const pads = range(2 * rank).map(() => 0);
    pads[axis] = low;
    pads[rank + axis] = size - low - covered;
    return ops.op('Pad', [value, ops.ints(pads)]);
  });
  return parts.length === 1 ? parts[0]! : ops.op('Sum', parts);
}

const pad: RuleTable[string] = (c) => [
  () => {
    const { ops, d } = c;
    const x = c.inputs[0]!;
    const shape = c.shape(x);
    const rank = shape.length;
    const pads = c.integers(1) ?? [];
    const mode = stringAttribute(c.node, 'mode', 'constant');
    const given = c.integers(3);
    if (mode === 'constant') {
      const axes = given === undefined ? [] : ['', ops.ints(given)];
      return ops.op('Pad', [d, ops.ints(pads.map((amount) => -amount)), ...axes]);
    }
    const source = SOURCES[mode];
    if (source === undefined) throw c.unsupported(`mode ${mode}`);
    if (pads.some((amount) => amount < 0)) throw c.unsupported(`mode ${mode} with negative pads`);
    const axes = (given ?? range(rank)).map((axis) => positiveAxis(axis, rank));
    return axes.reduce((gradient, axis, i) => {
      const before = pads[i] ?? 0;
      const after = pads[axes.length + i] ?? 0;
      if (before === 0 && after === 0) return gradient;
      const size = shape[axis];
      if (typeof size !== 'number') throw c.unsupported(`mode ${mode} along the symbolic dimension ${size}`);
      const sources = range(before + size + after).map((at) => source(at - before, size));
      return fold(c, gradient, axis, rank, size, runsOf(sources));
    }, d);
  },
];

export const PAD: RuleTable = { Pad: pad };
