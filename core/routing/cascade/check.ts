/** Whether a cascade fits the model it is to be released with, found out before the model is trained. */
import { outputForm } from '../../autodiff/losses/form.ts';
import type { CascadeSpec } from '../../contracts/cascade.ts';
import type { LossSpec } from '../../contracts/loss.ts';
import { Fault } from '../../errors.ts';
import type { Model } from '../../onnx/model.ts';
import { signatureOf } from '../../onnx/signature.ts';
import { judgedOutput } from './judge.ts';

/** @throws Fault `unprocessable` naming the field of the job's spec */
export function checkCascade(cascade: CascadeSpec, model: Model, loss: LossSpec): void {
  let output: string;
  try {
    output = judgedOutput(cascade, signatureOf(model).outputs);
  } catch (thrown) {
    throw thrown instanceof Fault ? inSpec(thrown.message, 'output', thrown) : thrown;
  }
  // Of other outputs nobody knows what they are until they are computed.
  if (loss.kind !== 'softmax-cross-entropy' || loss.output !== output) return;
  const scores = outputForm(model, loss) === 'probabilities' ? 'probabilities' : 'logits';
  if (scores !== cascade.scores)
    throw inSpec(`cascade.scores: ${output} holds ${scores}, not ${cascade.scores}`, 'scores');
}

const inSpec = (message: string, field: string, cause?: unknown) =>
  new Fault('unprocessable', `release.${message}`, { field: `release.cascade.${field}`, cause });
