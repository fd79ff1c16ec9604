/** The activation a model ends in. A loss on logits stays finite where one on rounded probabilities does not. */
import { intAttribute } from '../../onnx/attributes.ts';
import { isDefaultDomain } from '../../onnx/check.ts';
import type { NodeProto } from '../../onnx/proto.ts';
import { positiveAxis } from '../ops.ts';

export type Activation = 'Softmax' | 'LogSoftmax' | 'Sigmoid';

export interface Behind {
  /** The value before the activation, or the output itself. */
  readonly logits: string;
  readonly activation: Activation | undefined;
}

/**
 * Looks behind a graph output, through Identity.
 * @param rank of the output: Softmax and LogSoftmax count over its last axis only
 * @param activations that may be looked behind
 */
export function behindActivation(
  nodes: readonly NodeProto[],
  output: string,
  rank: number,
  activations: readonly Activation[],
): Behind {
  const writerOf = (name: string) =>
    nodes.find((node) => isDefaultDomain(node.domain) && node.output[0] === name);
  let node = writerOf(output);
  while (node?.opType === 'Identity') node = writerOf(node.input[0] ?? '');
  const found = activations.find((each) => each === node?.opType);
  const isLastAxis =
    found === 'Sigmoid' ||
    (node !== undefined && positiveAxis(intAttribute(node, 'axis', -1), rank) === rank - 1);
  return found === undefined || !isLastAxis
    ? { logits: output, activation: undefined }
    : { logits: node?.input[0] ?? output, activation: found };
}
