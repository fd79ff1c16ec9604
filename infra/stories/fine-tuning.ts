/** What the example asks of the fleet: adapters for every matrix in the layers, one pass over the book. */
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { buildTrainingGraph, type TrainingGraph } from '../../core/autodiff/training-graph.ts';
import type { TrainRequest } from '../../core/contracts/job.ts';
import type { LoraSpec } from '../../core/contracts/lora.ts';
import { addAdapters } from '../../core/finetuning/lora.ts';
import { LLAMA } from '../../core/onnx/builders/llama.ts';
import type { Model } from '../../core/onnx/model.ts';

/** Of the dataset and of the model. */
export const NAME = 'moby-dick';
/** Tokens of a row: half of the model's context. */
export const LENGTH = 128;
export const TEST_SHARE = 0.05;
/** Attention and feed-forward. The embedding, which is the classifier too, stays as it is. */
export const LORA: LoraSpec = { rank: 8, alpha: 16, target: ['layers.*'] };
export const LOSS = { kind: 'softmax-cross-entropy', output: LLAMA.logits, target: 'targets' } as const;
const SEED = 0;

/** The training graph as the fleet plans it. */
export async function trainingGraph(model: Model): Promise<TrainingGraph> {
  const { model: adapted, parameters } = addAdapters(model, LORA, SEED, [LOSS.output]);
  const row = { dtype: 'U16' as const, shape: [LENGTH] };
  return buildTrainingGraph(adapted, await inferTypes(adapted), {
    inputs: { [LLAMA.tokens]: { tensor: 'tokens', ...row } },
    loss: LOSS,
    target: row,
    parameters,
  });
}

/** @param graph blob of the forward graph @param version of the dataset */
export function fineTuningJob(graph: string, version: number): TrainRequest {
  return {
    kind: 'train',
    model: { name: NAME, graph },
    dataset: { name: NAME, version },
    loss: LOSS,
    lora: LORA,
    optimizer: { kind: 'adam', learningRate: 0.003 },
    schedule: 'linear',
    epochs: 1,
    batchSize: 4,
    shards: 2,
    strategy: { kind: 'local-sgd', localSteps: 20 },
    seed: SEED,
  };
}
