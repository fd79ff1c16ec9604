/** Whether a cascade fits the model it is to be released with, found out before a request is asked. */
import { outputForm } from '../../autodiff/losses/form.ts';
import type { CascadeSpec } from '../../contracts/cascade.ts';
import type { LossSpec } from '../../contracts/loss.ts';
import { Fault } from '../../errors.ts';
import type { Model } from '../../onnx/model.ts';
import { signatureOf } from '../../onnx/signature.ts';
import { judgedOutput } from './judge.ts';

/**
 * @param loss of the job that trains the model, or trained it; undefined where nobody knows any more
 * @param where the cascade stands in the document that is checked: `release.` in a job's spec, '' in a body of its own
 * @throws Fault `unprocessable` naming the field
 */
export function checkCascade(
  cascade: CascadeSpec,
  model: Model,
  loss: LossSpec | undefined,
  where: 'release.' | '',
): void {
  const refuse = (message: string, field: string, cause?: unknown) =>
    new Fault('unprocessable', `${where}${message}`, { field: `${where}cascade.${field}`, cause });
  let output: string;
  try {
    output = judgedOutput(cascade, signatureOf(model).outputs);
  } catch (thrown) {
    throw thrown instanceof Fault ? refuse(thrown.message, 'output', thrown) : thrown;
  }
  const scores = scoresOf(model, output, loss);
  if (scores !== undefined && scores !== cascade.scores)
    throw refuse(`cascade.scores: ${output} holds ${scores}, not ${cascade.scores}`, 'scores');
}

/** @returns undefined where nobody knows what the output is until it is computed */
function scoresOf(
  model: Model,
  output: string,
  loss: LossSpec | undefined,
): CascadeSpec['scores'] | undefined {
  const isClassified = loss?.kind === 'softmax-cross-entropy' && loss.output === output;
  const form = outputForm(model, { kind: 'softmax-cross-entropy', output, target: '' });
  // A softmax is one whatever it was trained for; numbers with nothing behind them are logits if they were trained as such.
  if (form === 'logits' && !isClassified) return undefined;
  return form === 'probabilities' ? 'probabilities' : 'logits';
}
