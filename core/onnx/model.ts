/** ONNX files in and out. A {@link Model} has passed {@link checkModel}: the rest of the code relies on that. */
import { Fault } from '../errors.ts';
import { checkModel, type Model } from './check.ts';
import { MODEL, type ModelProto } from './proto.ts';
import { encodeMessage, readMessage } from './wire.ts';

/** Bytes: no protobuf message may be longer (protobuf.dev/programming-guides/proto-limits). */
const MAX_BYTES = 2 ** 31 - 1;

const tooLarge = (what: string) =>
  new Fault('too_large', `${what}: an ONNX file holds less than 2 GiB`, { field: 'model' });

export type { Model };

/**
 * Tensor data stays a view of `bytes`.
 * @throws Fault `invalid` where the bytes are no sound ONNX model, `unprocessable` where we do not support it,
 *   `too_large` from 2 GiB on
 */
export function decodeModel(bytes: Uint8Array): Model {
  if (bytes.length > MAX_BYTES) throw tooLarge(`the model has ${bytes.length} bytes`);
  let proto: ModelProto;
  try {
    proto = readMessage(MODEL, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'malformed';
    throw new Fault('invalid', `the model is not an ONNX file, or is truncated: ${reason}`, {
      field: 'model',
      cause,
    });
  }
  return checkModel(proto);
}

/** The same model gives the same bytes. @throws Fault `too_large` where its tensors alone take 2 GiB */
export function encodeModel(model: Model): Uint8Array<ArrayBuffer> {
  const bytes = model.graph.initializer.reduce((sum, tensor) => sum + (tensor.rawData?.length ?? 0), 0);
  if (bytes > MAX_BYTES) throw tooLarge(`the model's initializers have ${bytes} bytes`);
  return encodeMessage(MODEL, model);
}
