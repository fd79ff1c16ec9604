import type { LossSpec } from '../../contracts/loss.ts';
import type { OutputForm } from '../../metrics/evaluation.ts';
import type { Model } from '../../onnx/model.ts';
import { signatureOf } from '../../onnx/signature.ts';
import { type Activation, behindActivation } from './activation.ts';
import { lossOf } from './table.ts';

const FORMS: Readonly<Record<Activation, OutputForm>> = {
  Softmax: 'probabilities',
  LogSoftmax: 'log-probabilities',
  Sigmoid: 'probabilities',
};

/** What the numbers of the loss's output are, by the activation the model ends in. */
export function outputForm(model: Model, loss: LossSpec): OutputForm {
  const rank = signatureOf(model).outputs.find(({ name }) => name === loss.output)?.shape.length ?? 0;
  const { activations } = lossOf(loss);
  const { activation } = behindActivation(model.graph.node, loss.output, rank, activations);
  return activation === undefined ? 'logits' : FORMS[activation];
}
