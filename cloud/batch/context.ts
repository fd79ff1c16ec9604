import type { InferenceRuntime } from '../../core/inference/runtime.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { type StoredInput, withStoredInputs } from '../../core/onnx/stored-inputs.ts';
import type { ShardCache } from '../../core/datasets/read.ts';
import type { FanOutContext } from '../../core/fan-out/protocol.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import type { Cache, LoadedModel } from '../training/context.ts';

/** What the tasks of batch inference, evaluation and map work with: the fleet's context has it. */
export interface BatchContext extends FanOutContext {
  readonly runtime: InferenceRuntime;
  readonly caches: {
    readonly rows: ShardCache;
    /** By the SHA-256 of the blob, and how its rows are stored: a warm function loads a model once. */
    readonly sessions: Cache<LoadedModel>;
  };
}

/** How a model's rows are stored: of each input the dataset tensor it reads. */
export type StoredInputs = Readonly<Record<string, StoredInput>>;

/** @param as given, the model reads rows as they are stored where that comes to the same bits */
export async function loadSession(
  { store, runtime, caches }: BatchContext,
  model: string,
  as: StoredInputs = {},
): Promise<LoadedModel> {
  const key = `${model} ${JSON.stringify(as)}`;
  const known = caches.sessions.get(key);
  if (known !== undefined) return known;
  const bytes = await getBlob(store, model);
  const rewritten = withStoredInputs(decodeModel(bytes), as);
  const { size } = rewritten.inputs;
  const loaded = {
    session: await runtime.load(size === 0 ? bytes : encodeModel(rewritten.model)),
    stored: rewritten.inputs,
  };
  caches.sessions.set(key, loaded);
  return loaded;
}
