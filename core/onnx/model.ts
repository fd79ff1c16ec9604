/** ONNX files in and out. A {@link Model} has passed {@link checkModel}: the rest of the code relies on that. */
import { Fault } from '../errors.ts';
import { checkModel } from './check.ts';
import { MODEL, type GraphProto, type ModelProto } from './proto.ts';
import { encodeMessage, readMessage } from './wire.ts';

export interface Model extends ModelProto {
  readonly graph: GraphProto;
}

/**
 * Tensor data stays a view of `bytes`.
 * @throws Fault `invalid` where the bytes are no sound ONNX model, `unprocessable` where we do not support it
 */
export function decodeModel(bytes: Uint8Array): Model {
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

/** The same model gives the same bytes. */
export function encodeModel(model: Model): Uint8Array<ArrayBuffer> {
  return encodeMessage(MODEL, model);
}
