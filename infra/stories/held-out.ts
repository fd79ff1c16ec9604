/** Metrics on held-out text: of a graph, and of the adapters as each round of a job left them. */
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { evaluate } from '../../cloud/training/evaluate.ts';
import { parameterValues } from '../../core/autodiff/training-graph.ts';
import { JobPlan, RoundCommit } from '../../core/contracts/job.ts';
import { jobPlanKey, roundCommitKey } from '../../core/contracts/keys.ts';
import type { Metrics } from '../../core/contracts/primitives.ts';
import type { Columns } from '../../core/datasets/columns.ts';
import { Fault } from '../../core/errors.ts';
import { mergeAdapters } from '../../core/finetuning/merge-adapters.ts';
import { decodeState } from '../../core/jobs/state.ts';
import { encodeModel, type Model } from '../../core/onnx/model.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { LORA, LOSS } from './fine-tuning.ts';

/** The fleet is idle while this measures. */
const THREADS = 2;

export async function measure(model: Model, rows: Columns): Promise<Metrics> {
  const session = await nativeRuntime({ threads: THREADS }).load(encodeModel(model));
  try {
    return await evaluate(session, rows, { inputs: {}, loss: LOSS }, 'logits');
  } finally {
    await session.release();
  }
}

/** @returns the held-out loss before training and after every so many rounds of a finished job */
export async function lossByRound(
  store: ObjectStore,
  job: string,
  base: Model,
  rows: Columns,
  every: number,
): Promise<{ readonly round: number; readonly loss: number }[]> {
  const plan = await getJson(store, jobPlanKey(job), JobPlan);
  if (plan === undefined) throw new Fault('not_found', `no plan of ${job}`);
  const lossOf = async (model: Model) => (await measure(model, rows))['loss'] ?? NaN;
  const losses = [{ round: 0, loss: await lossOf(base) }];
  for (let round = every - 1; round < plan.rounds; round += every) {
    const commit = await getJson(store, roundCommitKey(job, round), RoundCommit);
    if (commit === undefined) throw new Fault('not_found', `no round ${round} of ${job}`);
    const { parameters } = decodeState(await getBlob(store, commit.state), plan.parameters, []);
    const adapted = mergeAdapters(base, LORA, parameterValues(plan.parameters, parameters));
    losses.push({ round: round + 1, loss: await lossOf(adapted) });
  }
  return losses;
}
