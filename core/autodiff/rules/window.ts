/** Where the windows of a convolution or a pooling operator lie. */
import { intsAttribute, stringAttribute } from '../../onnx/attributes.ts';
import { isStatic } from '../ops.ts';
import type { RuleContext } from '../rule.ts';

/** One number for each spatial axis. */
export type Extents = readonly number[];

export interface Window {
  readonly kernel: Extents;
  readonly strides: Extents;
  readonly dilations: Extents;
  /** Padding before the first element and after the last, as the node asks for it. */
  readonly begin: Extents;
  readonly end: Extents;
  /** Of the input the windows move over, and the number of windows. */
  readonly input: Extents;
  readonly output: Extents;
}

/** The dimensions after batch and channels. @throws Fault where one is symbolic */
function spatialOf(c: RuleContext, name: string): Extents {
  const spatial = c.shape(name).slice(2);
  if (isStatic(spatial)) return spatial;
  const symbol = spatial.find((dimension) => typeof dimension === 'string');
  throw c.unsupported(`the symbolic dimension ${symbol} of ${name}: only the batch may be symbolic`);
}

/** @throws Fault where the number of channels is symbolic */
export function channelsOf(c: RuleContext, name: string): number {
  const channels = c.shape(name)[1];
  if (typeof channels === 'number') return channels;
  throw c.unsupported(`the symbolic number of channels ${channels} of ${name}`);
}

/** How far a dilated kernel reaches along an axis. */
export const reach = ({ kernel, dilations }: Window, axis: number): number =>
  (kernel[axis]! - 1) * dilations[axis]! + 1;

/**
 * Padding after the last element that makes the windows fit exactly: less than the node says where a stride leaves
 * elements over (then it may be negative), more where ceil_mode lets the last window hang over.
 */
export const endOf = (window: Window, axis: number): number =>
  (window.output[axis]! - 1) * window.strides[axis]! +
  reach(window, axis) -
  window.input[axis]! -
  window.begin[axis]!;

/**
 * @param from what the windows move over: a convolution's input, a transposed convolution's output
 * @param to one value for each window
 */
export function windowOf(c: RuleContext, kernel: Extents, from: string, to: string): Window {
  const ones = kernel.map(() => 1);
  const none = kernel.map(() => 0);
  const input = spatialOf(c, from);
  const output = spatialOf(c, to);
  const pads = intsAttribute(c.node, 'pads') ?? [...none, ...none];
  const window = {
    kernel,
    strides: intsAttribute(c.node, 'strides') ?? ones,
    dilations: intsAttribute(c.node, 'dilations') ?? ones,
    begin: pads.slice(0, kernel.length),
    end: pads.slice(kernel.length),
    input,
    output,
  };
  const auto = stringAttribute(c.node, 'auto_pad', 'NOTSET');
  const isComputed = auto.startsWith('SAME_') || intsAttribute(c.node, 'output_shape') !== undefined;
  if (!isComputed) return auto === 'VALID' ? { ...window, begin: none, end: none } : window;
  // The odd element goes to the end or to the beginning.
  const round = auto === 'SAME_UPPER' ? Math.floor : Math.ceil;
  const extra = intsAttribute(c.node, 'output_padding') ?? none;
  const totals = kernel.map((_, axis) => Math.max(endOf({ ...window, begin: none }, axis) + extra[axis]!, 0));
  const begin = totals.map((total) => round(total / 2));
  return { ...window, begin, end: totals.map((total, axis) => total - begin[axis]!) };
}

/** Attributes of the ConvTranspose that takes one value per window back to what the windows move over. */
export function transposed(window: Window): Record<string, Extents> {
  const ends = window.kernel.map((_, axis) => endOf(window, axis));
  return {
    strides: window.strides,
    dilations: window.dilations,
    pads: [...window.begin, ...ends.map((end) => Math.max(end, 0))],
    output_padding: ends.map((end) => Math.max(-end, 0)),
  };
}

/** Whether the windows lie side by side, none over another or over the edge. */
export const isTiling = (window: Window): boolean =>
  window.kernel.every(
    (size, axis) =>
      size === window.strides[axis] &&
      window.dilations[axis] === 1 &&
      window.begin[axis] === 0 &&
      endOf(window, axis) <= 0,
  );
