/** Training losses: what is written behind the forward graph, and the gradient the reverse walk starts from. */
import { Fault } from '../errors.ts';
import { intAttribute } from '../onnx/attributes.ts';
import { isDefaultDomain } from '../onnx/check.ts';
import type { NodeProto } from '../onnx/proto.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { positiveAxis, range, type Ops } from './ops.ts';

export interface WrittenLoss {
  /** Scalar F32: the mean over the batch. */
  readonly loss: string;
  /** Scalar I64: predictions that hit their class. */
  readonly correct: string;
  /** The gradient of the loss with respect to the logits. */
  readonly seed: string;
}

/**
 * The logits behind a graph output: the input of a final Softmax or LogSoftmax over the last axis, or the output
 * itself. A loss on logits stays finite where one on rounded probabilities does not.
 */
export function logitsOf(nodes: readonly NodeProto[], output: string, rank: number): string {
  const node = nodes.find((each) => each.output.includes(output));
  const isSoftmax =
    node !== undefined &&
    isDefaultDomain(node.domain) &&
    (node.opType === 'Softmax' || node.opType === 'LogSoftmax') &&
    positiveAxis(intAttribute(node, 'axis', -1), rank) === rank - 1;
  return isSoftmax ? (node.input[0] ?? output) : output;
}

/**
 * Softmax cross-entropy, mean over the batch, and its gradient (softmax − onehot)/batch in one step.
 * @param logits F32 `[…, classes]`
 * @param target class ids of any integer type, `[…]`
 */
export function softmaxCrossEntropy(ops: Ops, logits: TensorSpec, target: TensorSpec): WrittenLoss {
  const classes = classesOf(logits);
  const hasRows = logits.shape.length === 2;
  const scores = hasRows ? logits.name : ops.reshape(logits.name, [-1, classes]);
  const wide = target.dtype === 'I64' ? target.name : ops.cast(target.name, 'I64');
  const ids = hasRows ? wide : ops.reshape(wide, [-1]);
  const hot = ops.indicator(ops.op('Equal', [ops.unsqueeze(ids, [1]), ops.ints(range(classes))]), 'F32');
  const logProbabilities = ops.op('LogSoftmax', [scores], { axis: -1 });
  const batch = ops.cast(ops.op('Size', [ids]), 'F32');
  const picked = ops.op('ReduceSum', [ops.mul(logProbabilities, hot)], { keepdims: 0 });
  const loss = ops.neg(ops.div(picked, batch));
  const predicted = ops.op('ArgMax', [scores], { axis: -1, keepdims: 0 });
  const hits = ops.cast(ops.op('Equal', [predicted, ids]), 'I64');
  const correct = ops.op('ReduceSum', [hits], { keepdims: 0 });
  const difference = ops.div(ops.sub(ops.op('Exp', [logProbabilities]), hot), batch);
  const seed = hasRows ? difference : ops.like(difference, logits.name, logits.shape);
  return { loss, correct, seed };
}

/** @throws Fault `unprocessable` where the last dimension of the logits is not a fixed number of at least 2 */
export function classesOf(logits: TensorSpec): number {
  const classes = logits.shape.at(-1);
  if (typeof classes !== 'number' || classes < 2 || logits.shape.length < 2 || logits.dtype !== 'F32')
    throw new Fault(
      'unprocessable',
      `${logits.name} is ${logits.dtype} [${logits.shape.join(', ')}]: softmax-cross-entropy needs F32 [batch, classes] with 2 or more classes`,
      { field: 'loss.output' },
    );
  return classes;
}
