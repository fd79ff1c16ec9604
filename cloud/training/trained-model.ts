/** What the rounds made of the model: the forward graph with its weights as trained, and the adapter by itself. */
import { parameterValues } from '../../core/autodiff/training-graph.ts';
import { servingMode } from '../../core/autodiff/training-mode.ts';
import type { AcceptedJob, JobPlan } from '../../core/contracts/job.ts';
import type { Adapter } from '../../core/contracts/release.ts';
import { encodeAdapter } from '../../core/finetuning/adapter-file.ts';
import { mergeAdapters } from '../../core/finetuning/merge-adapters.ts';
import { withInitializers } from '../../core/onnx/initializers.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { getBlob, putBlob } from '../../core/storage/blobs.ts';
import type { FleetContext } from './context.ts';
import { baseOfRound, readState } from './documents.ts';

export interface TrainedModel {
  /** The same nodes, names and signature as the graph that was given. */
  readonly graph: Uint8Array<ArrayBuffer>;
  /** Stores the adapter. @returns undefined where the job trained none */
  readonly putAdapter: () => Promise<Adapter | undefined>;
}

export async function trainedModel(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
): Promise<TrainedModel> {
  const { store } = context;
  const { lora } = accepted.spec;
  const last = await baseOfRound(context, plan, plan.rounds);
  const [{ parameters }, bytes] = await Promise.all([
    readState(context, accepted, plan, last),
    getBlob(store, plan.forward),
  ]);
  const given = decodeModel(bytes);
  const forward = { ...given, graph: { ...given.graph, node: servingMode(given.graph.node) } };
  const values = parameterValues(plan.parameters, parameters);
  if (lora === undefined)
    return {
      graph: encodeModel(withInitializers(forward, values)),
      putAdapter: () => Promise.resolve(undefined),
    };
  return {
    graph: encodeModel(mergeAdapters(forward, lora, values)),
    async putAdapter() {
      const file = encodeAdapter(plan.parameters, parameters, lora, plan.forward);
      const { rank, alpha } = lora;
      return { sha256: await putBlob(store, file), bytes: file.length, rank, alpha, base: plan.forward };
    },
  };
}
