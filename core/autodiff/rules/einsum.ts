/**
 * Einsum: the gradient of one operand is an Einsum too, of the output's gradient and the other operands, with the
 * operand's own labels as its output. What that leaves open is done around it: labels only this operand has are
 * stretched, labels it has twice (a diagonal) are told apart by an identity matrix.
 */
import { stringAttribute } from '../../onnx/attributes.ts';
import { range, type Shape } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

interface Equation {
  /** One letter per axis; an ellipsis is written out. */
  readonly terms: readonly string[];
  readonly output: string;
  /** Letters the equation does not use. */
  readonly free: readonly string[];
}

function equationOf(c: RuleContext): Equation {
  const text = stringAttribute(c.node, 'equation', '').replaceAll(' ', '');
  const [left = '', right] = text.split('->');
  const written = left.split(',');
  const free = LETTERS.split('').filter((letter) => !text.includes(letter));
  const ranks = written.map((term, i) => c.shape(c.inputs[i] ?? '').length - term.replace('...', '').length);
  const covered = Math.max(...ranks);
  if (covered > free.length) throw c.unsupported(`its equation ${text} has too many labels`);
  const ellipsis = free.splice(0, Math.max(covered, 0)).join('');
  // An operand's ellipsis covers the last of the axes that all of them cover together, as in broadcasting.
  const terms = written.map((term, i) => term.replace('...', ellipsis.slice(ellipsis.length - ranks[i]!)));
  const letters = left.split('').filter((letter) => LETTERS.includes(letter));
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)).sort();
  const output = right?.replace('...', ellipsis) ?? `${ellipsis}${once.join('')}`;
  return { terms, output, free };
}

/** What a label counts over the given terms: a dimension of 1 is stretched to the others'. */
function dimensionOf(label: string, terms: readonly (readonly [labels: string, shape: Shape])[]) {
  const dimensions = terms.flatMap(([labels, shape]) =>
    labels.split('').flatMap((each, axis) => (each === label ? [shape[axis]!] : [])),
  );
  return dimensions.find((dimension) => dimension !== 1) ?? 1;
}

function identity(c: RuleContext, size: number): string {
  const elements = range(size * size).map((i) => (i % (size + 1) === 0 ? 1 : 0));
  const data = c.dtype === 'F64' ? Float64Array.from(elements) : Float32Array.from(elements);
  return c.ops.graph.constant({ dtype: c.dtype, shape: [size, size], data });
}

function operandGradient(c: RuleContext, { terms, output, free }: Equation, operand: number): string {
  const { ops, inputs } = c;
  const x = inputs[operand]!;
  const shape = c.shape(x);
  const factors = [c.d, ...inputs.filter((_, i) => i !== operand)];
  const labels = [output, ...terms.filter((_, i) => i !== operand)];
  const known = labels.map((term, i) => [term, c.shape(i === 0 ? c.outputs[0]! : factors[i]!)] as const);

  // A label's second axis gets a letter of its own, tied to the first by an identity matrix.
  const term = terms[operand]!;
  const twins = [...free];
  const target = term.split('').map((label, axis) => {
    if (term.indexOf(label) === axis) return label;
    const size = shape[axis];
    const twin = twins.shift();
    if (typeof size !== 'number' || twin === undefined)
      throw c.unsupported(`it takes a diagonal of the symbolic dimension ${size}`);
    factors.push(identity(c, size));
    labels.push(`${label}${twin}`);
    known.push([`${label}${twin}`, [size, size]]);
    return twin;
  });

  const given = new Set(labels.join(''));
  const reached = target.filter((label) => given.has(label)).join('');
  const product = ops.op('Einsum', factors, { equation: `${labels.join()}->${reached}` });
  const missing = range(target.length).filter((axis) => !given.has(target[axis]!));
  const aligned = missing.length === 0 ? product : ops.unsqueeze(product, missing);
  const full = target.map((label) => dimensionOf(label, known));
  const isOpen = full.map((dimension, axis) => dimension === 1 && shape[axis] !== 1);
  const narrow = shape.map((dimension, axis) => (isOpen[axis] === true ? 1 : dimension));
  const summed = ops.unbroadcast(aligned, c.dtype, full, narrow, x);
  return isOpen.includes(true) ? ops.expand(summed, x, shape) : summed;
}

export const EINSUM: RuleTable = {
  Einsum: (c) => {
    const equation = equationOf(c);
    return c.inputs.map((_, i) => () => operandGradient(c, equation, i));
  },
};
