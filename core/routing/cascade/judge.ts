/** Which rows of an output are hard: the filter over every row, and what outputs it can be asked about. */
import type { CascadeSpec } from '../../contracts/cascade.ts';
import { Fault } from '../../errors.ts';
import type { TensorSpec, TensorValue } from '../../tensors/tensor.ts';
import { FILTERS } from './filters.ts';

export interface Judgement {
  readonly rows: number;
  /** Of each row, 0 to 1; NaN where an element of the row is no number. */
  readonly confidence: Float64Array;
  /** Indices of the hard rows, ascending. */
  readonly hard: readonly number[];
}

/**
 * What probabilities may be off, alone and in their sum: a float32 softmax is off by 1e-6, one over 100,000 classes by
 * 1e-4, and logits that happen to lie so close to a distribution there are none.
 */
const TOLERANCE = 1e-3;

type Judged = Pick<CascadeSpec, 'filter' | 'threshold' | 'scores'>;

const misfit = (message: string) => new Fault('unprocessable', message, { field: 'cascade.output' });

/**
 * @param outputs of the model
 * @returns the one that is judged
 * @throws Fault `unprocessable` where there is none of that name, or it is no row of scores for each row
 */
export function judgedOutput(
  { output }: Pick<CascadeSpec, 'output'>,
  outputs: readonly TensorSpec[],
): string {
  const names = outputs.map(({ name }) => name).join(', ');
  const found = output === undefined ? outputs[0] : outputs.find(({ name }) => name === output);
  if (output === undefined && outputs.length !== 1)
    throw misfit(`cascade.output: the model has several outputs, name one of ${names}`);
  if (found === undefined) throw misfit(`cascade.output: the model has no output ${output}; it has ${names}`);
  const { name, dtype, shape } = found;
  const classes = shape[1];
  const fits = (dtype === 'F32' || dtype === 'F64') && shape.length === 2;
  if (!fits || (typeof classes === 'number' && classes < 2))
    throw misfit(
      `cascade.output: ${name} is ${dtype} [${shape.join(', ')}]; a filter judges F32 or F64 [rows, classes] with at least 2 classes`,
    );
  return name;
}

/**
 * @param name of the output, for the fault
 * @param output `[rows, classes]`
 * @throws Fault `unprocessable` where it is not that, or where its rows are no probabilities though `scores` says so
 */
export function judge(name: string, output: TensorValue, spec: Judged): Judgement {
  judgedOutput({ output: name }, [{ name, dtype: output.dtype, shape: output.shape }]);
  const data = output.data as Float32Array | Float64Array;
  const [rows, classes] = output.shape as readonly [number, number];
  const { confidence: of } = FILTERS[spec.filter];
  const probabilities = new Float64Array(classes);
  const confidence = new Float64Array(rows);
  const hard: number[] = [];
  for (let row = 0; row < rows; row++) {
    probabilities.set(data.subarray(row * classes, (row + 1) * classes));
    if (spec.scores === 'logits') softmax(probabilities);
    else checkProbabilities(probabilities, `${name}[${row}]`);
    const value = Math.min(1, Math.max(0, of(probabilities)));
    confidence[row] = value;
    // Also where it is NaN.
    if (!(value >= spec.threshold)) hard.push(row);
  }
  return { rows, confidence, hard };
}

/** In place. NaN throughout where an element is NaN or +∞; -∞ is a class that cannot be. */
function softmax(logits: Float64Array): void {
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const power = Math.exp(logits[i]! - largest);
    logits[i] = power;
    sum += power;
  }
  for (let i = 0; i < logits.length; i++) logits[i]! /= sum;
}

/** Those within the tolerance are put inside the range. What is no finite number is left to be found hard. */
function checkProbabilities(probabilities: Float64Array, where: string): void {
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i]!;
    if (!Number.isFinite(p)) return void probabilities.fill(NaN);
    if (p < -TOLERANCE || p > 1 + TOLERANCE) throw notProbabilities(where, `element ${i} is ${p}`);
    sum += p;
    probabilities[i] = Math.min(1, Math.max(0, p));
  }
  if (Math.abs(sum - 1) > TOLERANCE) throw notProbabilities(where, `they sum to ${sum}`);
}

const notProbabilities = (where: string, what: string) =>
  new Fault(
    'unprocessable',
    `cascade.scores: ${where} holds no probabilities, ${what}; if the output is logits, say scores "logits"`,
    { field: 'cascade.scores' },
  );
