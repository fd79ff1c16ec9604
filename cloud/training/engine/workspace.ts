/** Where local steps keep their vectors, and the arithmetic on them: one WebAssembly memory, and kernels that run in it. */
import type { OptimizerSpec } from '../../../core/contracts/optimizer.ts';
import { ACCUMULATE } from '../../../core/optimizers/accumulate.ts';
import { clipScale, SCALE_GRADIENT } from '../../../core/optimizers/clip.ts';
import { elementwise } from '../../../core/optimizers/expression.ts';
import { type OptimizerState, updateRule } from '../../../core/optimizers/optimizer.ts';
import { elementwiseKernel } from './kernels/elementwise.ts';
import { type Arena, createArena } from './kernels/memory.ts';
import { sumOfSquaresKernel } from './kernels/sum-of-squares.ts';

export interface WorkspaceOptions {
  readonly optimizer: OptimizerSpec;
  /** Elements of the flat parameter vector. */
  readonly length: number;
  /** Weight decay of each element, where it is not the same for all. */
  readonly weightDecay?: Float32Array | undefined;
  /** The gradient is scaled down to this norm where it is longer; default: never. */
  readonly clipNorm?: number | undefined;
  /** Batches to a step, default 1. */
  readonly accumulate?: number | undefined;
}

export interface Workspace {
  readonly parameters: Float32Array<ArrayBuffer>;
  readonly gradient: Float32Array<ArrayBuffer>;
  readonly state: OptimizerState;
  /**
   * Takes up the gradient of one of a step's batches. After the last one `gradient` is their mean, 0 where no batch
   * has a weight.
   * @param weight what the batch's own mean was taken over
   */
  readonly accumulate: (batch: { index: number; of: number; weight: number }) => void;
  /** Scales the gradient down where it is too long. @returns the scale, NaN where there is none for it is not finite */
  readonly clip: () => number;
  /** One optimizer step in place: the bits of `createOptimizer(spec).update`. */
  readonly update: (step: number, learningRate: number) => void;
}

/** Zeros, for an optimizer and a number of parameters. */
export function createWorkspace(options: WorkspaceOptions): Workspace {
  const { optimizer, length, weightDecay, clipNorm, accumulate = 1 } = options;
  const rule = updateRule(optimizer, weightDecay !== undefined);
  const arena = createArena(
    [
      'parameters',
      'gradient',
      ...rule.slots,
      ...(weightDecay === undefined ? [] : ['weightDecay']),
      ...(accumulate === 1 ? [] : ['total']),
    ],
    length,
  );
  if (weightDecay !== undefined) arena.view('weightDecay').set(weightDecay);
  const run = elementwiseKernel(elementwise(rule.next), arena);
  return {
    parameters: arena.view('parameters'),
    gradient: arena.view('gradient'),
    state: Object.fromEntries(rule.slots.map((slot) => [slot, arena.view(slot)])),
    accumulate: accumulate === 1 ? () => {} : accumulator(arena),
    clip: clipNorm === undefined ? () => 1 : clipper(arena, clipNorm),
    update: (step, learningRate) => run(rule.constants(step, learningRate)),
  };
}

function accumulator(arena: Arena): Workspace['accumulate'] {
  const first = elementwiseKernel(ACCUMULATE.first, arena);
  const middle = elementwiseKernel(ACCUMULATE.middle, arena);
  const last = elementwiseKernel(ACCUMULATE.last, arena);
  let weights = 0;
  return ({ index, of, weight }) => {
    if (of === 1) return;
    weights = index === 0 ? weight : weights + weight;
    if (index === 0) first({ weight });
    else if (index < of - 1) middle({ weight });
    else last({ weight, scale: weights === 0 ? 0 : 1 / weights });
  };
}

function clipper(arena: Arena, norm: number): Workspace['clip'] {
  const sumOfSquares = sumOfSquaresKernel(arena, 'gradient');
  const scaleGradient = elementwiseKernel(SCALE_GRADIENT, arena);
  return () => {
    const scale = clipScale(sumOfSquares(), norm);
    if (scale !== 1) scaleGradient({ scale });
    return scale;
  };
}
