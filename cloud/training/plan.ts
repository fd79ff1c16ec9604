/** Task `plan`: turns an accepted spec into everything the rounds need, decided once and written create-only. */
import { type AcceptedJob, type JobPlan, JobPlan as Plan } from '../../core/contracts/job.ts';
import { jobPlanKey } from '../../core/contracts/keys.ts';
import { buildTrainingGraph } from '../../core/autodiff/training-graph.ts';
import { lossColumns } from '../../core/autodiff/losses/columns.ts';
import { readManifest } from '../../core/datasets/read.ts';
import { initializeParameters } from '../../core/finetuning/initialize.ts';
import { addAdapters } from '../../core/finetuning/lora.ts';
import { Fault } from '../../core/errors.ts';
import { chooseBesideAdapters, chooseParameters, withWeightDecay } from '../../core/jobs/parameters.ts';
import { part, planRounds } from '../../core/jobs/schedule.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { checkCascade } from '../../core/routing/cascade/check.ts';
import { matchesAny } from '../../core/patterns.ts';
import { getBlob, putBlob } from '../../core/storage/blobs.ts';
import { createOrRead } from '../../core/storage/json.ts';
import { slicesOf } from '../../core/strategies/slices.ts';
import { strategyOf } from '../../core/strategies/table.ts';
import { inferTypes } from '../adapters/onnxruntime-types.ts';
import { announceRound } from './announce.ts';
import type { FleetContext } from './context.ts';
import { acceptedJob, hasEnded, jobPlan } from './documents.ts';
import { stopIfDue } from './ending.ts';
import { usageOf } from './metering.ts';
import { putState } from './parts.ts';

export async function planJob(context: FleetContext, job: string): Promise<void> {
  if (await hasEnded(context, job)) return;
  if (await stopIfDue(context, job)) return;
  const accepted = await acceptedJob(context, job);
  const earlier = await jobPlan(context, job);
  const plan = earlier ?? (await writePlan(context, accepted));
  for (let round = 0; round <= Math.min(plan.staleness ?? 0, plan.rounds - 1); round++)
    await announceRound(context, accepted, plan, round, earlier !== undefined);
}

async function writePlan(context: FleetContext, { job, spec }: AcceptedJob): Promise<JobPlan> {
  const { store, now } = context;
  const manifest = await readManifest(store, spec.dataset.name, spec.dataset.version);
  const rows = manifest.splits[spec.splits.train]?.rows ?? 0;
  const given = decodeModel(await getBlob(store, spec.model.graph));
  const model = initializeParameters(given, spec.parameters.initialize, spec.seed);
  if (spec.release.cascade !== undefined) checkCascade(spec.release.cascade, model, spec.loss, 'release.');
  const column = (tensor: string) => {
    const described = manifest.tensors[tensor];
    if (described === undefined) throw new Fault('unprocessable', `the dataset has no tensor ${tensor}`);
    return { tensor, ...described };
  };
  const inputs = signatureOf(model).inputs.map(
    ({ name }) => [name, column(spec.inputs[name] ?? name)] as const,
  );
  const { seed, lora, loss, parameters: rules } = spec;
  const adapted = lora && addAdapters(model, lora, seed, [loss.output], rules.freeze);
  const trained = adapted?.model ?? model;
  const training = buildTrainingGraph(trained, await inferTypes(trained), {
    inputs: Object.fromEntries(inputs),
    loss: spec.loss,
    ...lossColumns(spec.loss, manifest.tensors),
    parameters: (candidates) =>
      adapted === undefined
        ? chooseParameters(spec.parameters, candidates)
        : chooseBesideAdapters(spec.parameters, candidates, adapted.parameters),
    isFrozen: (name) => matchesAny(rules.freeze, name),
  });
  const parameters = withWeightDecay(training.parameters, spec.parameters, spec.optimizer.weightDecay);
  const strategy = strategyOf(spec);
  const slices = slicesOf(parameters, strategy.mergers);
  const layout = { parameters, ...(slices.length > 1 ? { slices } : {}) };
  const zeros = () => new Float32Array(training.initial.length);
  const initial = {
    parameters: training.initial,
    slots: Object.fromEntries(strategy.slots.map((slot) => [slot, zeros()])),
  };
  const [forward, trainingGraph, { state, model: initialModel }] = await Promise.all([
    model === given ? spec.model.graph : putBlob(store, encodeModel(model)),
    putBlob(store, training.graph),
    putState(store, layout, strategy, initial),
  ]);
  const usage = usageOf(context);
  const plan: JobPlan = {
    v: 1,
    job,
    dataset: { name: manifest.name, version: manifest.version },
    forward,
    trainingGraph,
    initialState: state.sha256,
    ...(initialModel === undefined ? {} : { initialModel }),
    ...layout,
    shards: Array.from({ length: spec.shards }, (_, shard) => part(rows, spec.shards, shard)),
    ...planRounds({ ...spec, rows, localSteps: strategy.localSteps }),
    ...(strategy.staleness === 0 ? {} : { staleness: strategy.staleness }),
    ...(usage === undefined ? {} : { usage }),
    plannedAt: now().toISOString(),
  };
  // Where another delivery of this message was first, its plan is the plan.
  return (await createOrRead(store, jobPlanKey(job), plan, Plan)).value;
}
