/**
 * onnxruntime-node sessions, created the one way everything here creates them.
 *
 * `session.set_denormal_as_zero` is deliberately left alone. ONNX Runtime honours it for the process's first session
 * only, by setting the flush-to-zero bits of the thread that creates it; later threads inherit or not by who started
 * them, and the bits change JavaScript's own arithmetic on that thread. Results would depend on which thread ran
 * what, and training must give the same bits everywhere. The optimizers flush denormals themselves instead.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { FaultCode } from '../../core/errors.ts';
import { cannotRun } from '../../core/inference/onnxruntime.ts';
import { DTYPES } from '../../core/tensors/dtypes.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';

export interface SessionOptions {
  /** Threads inside one operator; 1 by default: steadier than two, and the fleet runs one process per core. */
  readonly threads?: number;
  /** False: the graph as it is written, for looking at it. */
  readonly optimize?: boolean;
}

/** onnxruntime-node logs warnings to stderr below this; errors are thrown anyway. */
const LOG_FATAL = 4;

export type Session = InferenceSession;

/** @param code of the Fault for a model the runtime refuses */
export async function createSession(
  model: Uint8Array<ArrayBuffer>,
  { threads = 1, optimize = true }: SessionOptions = {},
  code: FaultCode = 'unprocessable',
): Promise<Session> {
  try {
    return await InferenceSession.create(model, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: optimize ? 'all' : 'disabled',
      logSeverityLevel: LOG_FATAL,
    });
  } catch (cause) {
    throw cannotRun(cause, code);
  }
}

export function toOrt({ dtype, data, shape }: TensorValue): Tensor {
  return new Tensor(DTYPES[dtype].ort, data, shape);
}

/**
 * Frees a result that was written into `place` at once. onnxruntime-node gives a copy of such a result back beside
 * it; left to the garbage collector, every copy takes memory that is not in the cache yet, or not even mapped.
 */
export function discard(result: Tensor | undefined, place: Tensor): void {
  if (result === undefined || result.location !== 'cpu') return;
  const { data } = result;
  const isCopy =
    ArrayBuffer.isView(data) && ArrayBuffer.isView(place.data) && data.buffer !== place.data.buffer;
  if (isCopy && data.buffer instanceof ArrayBuffer) data.buffer.transfer(0);
}
