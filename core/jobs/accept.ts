/** Accepting a job: everything that can be known to be wrong is refused now, by field, before any work is queued. */
import { lossColumns } from '../autodiff/losses/columns.ts';
import { lossOf } from '../autodiff/losses/table.ts';
import type { DatasetManifest } from '../contracts/dataset.ts';
import { AnyAcceptedJob, JobSpec, type TrainSpec } from '../contracts/job.ts';
import { blobKey, jobIndexKey, jobSpecKey } from '../contracts/keys.ts';
import { parse } from '../contracts/parse.ts';
import { checkInputs } from '../datasets/fit.ts';
import { readManifest } from '../datasets/read.ts';
import { Fault } from '../errors.ts';
import { metricsOf } from '../metrics/of-loss.ts';
import { settle } from '../fan-out/settle.ts';
import { floatInitializers } from '../onnx/initializers.ts';
import { initializedInputs, initializeParameters } from '../finetuning/initialize.ts';
import { loraA, loraB, loraTargets } from '../finetuning/lora.ts';
import { decodeModel, type Model } from '../onnx/model.ts';
import { signatureOf } from '../onnx/signature.ts';
import { checkSchedule } from '../optimizers/schedule.ts';
import type { Task } from '../contracts/task.ts';
import type { TaskQueue } from '../queue/task-queue.ts';
import { getBlob } from '../storage/blobs.ts';
import { getJson, putJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { checkStrategy } from '../strategies/check.ts';
import { strategyOf } from '../strategies/table.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { checkPatterns } from './parameters.ts';
import { planRounds } from './schedule.ts';

/** Seconds after which somebody looks whether the job was planned. */
const PLAN_WATCH_S = 300;
/** Bytes of a graph: of the 512 MB of the function that accepts jobs it takes twice as many while it is hashed. */
export const MAX_GRAPH_BYTES = 128 * 1024 * 1024;

export interface AcceptOptions {
  readonly job: string;
  readonly now: Date;
  /** Of whoever starts the job. Where it was started before, its first one holds. */
  readonly traceparent?: string | undefined;
}

/**
 * Stores the spec and queues the planning. Doing it twice with one job id is one job (so a client may retry), whatever
 * datasets and releases came in between; the same id with another spec is a conflict.
 * @throws Fault `invalid` (400) for a malformed spec, `unprocessable` (422) for one that cannot be done, `conflict`
 */
export async function acceptJob(
  store: ObjectStore,
  queue: TaskQueue,
  request: unknown,
  { job, now, traceparent }: AcceptOptions,
): Promise<AnyAcceptedJob> {
  const asked = parse(JobSpec, request);
  // What was accepted once is not checked again: what there is now may be other than what the job was accepted for.
  const stored =
    (await acceptedEarlier(store, job, asked)) ??
    (await storeOnce(store, asked, {
      v: 1,
      job,
      spec: await checked(store, asked),
      acceptedAt: now.toISOString(),
      ...(traceparent === undefined ? {} : { traceparent }),
    } as AnyAcceptedJob));
  await putJson(store, jobIndexKey(job, Date.parse(stored.acceptedAt)), { v: 1, job }, 'create');
  await queue.send(firstTasks(stored.spec, job), {
    delaySeconds: ({ kind }) => (kind === 'watch' ? PLAN_WATCH_S : 0),
    traceparent: stored.traceparent,
  });
  return stored;
}

/** A training job's plan is looked after by a watch: the message may be lost with the function that took it. */
const firstTasks = ({ kind }: JobSpec, job: string): Task[] => [
  { v: 1, kind: 'plan', job },
  ...(kind === 'train' ? [{ v: 1, kind: 'watch', job, round: 0 } as const] : []),
];

/** @returns the spec as it is stored */
async function checked(store: ObjectStore, spec: JobSpec): Promise<JobSpec> {
  if (spec.kind === 'train') return checkTrain(store, spec);
  await settle(store, spec);
  return spec;
}

async function checkTrain(store: ObjectStore, spec: TrainSpec): Promise<TrainSpec> {
  checkStrategy(spec);
  const manifest = await datasetOf(store, spec);
  const { model, inputs, outputs } = await forwardModel(store, spec);
  const filled = initializedInputs(model, spec.parameters.initialize);
  checkFit(spec, manifest, { inputs: inputs.filter(({ name }) => !filled.has(name)), outputs });
  const rows = manifest.splits[spec.splits.train]?.rows ?? 0;
  const { localSteps } = strategyOf(spec);
  checkSchedule(spec.schedule, planRounds({ ...spec, rows, localSteps }).steps);
  checkParameters(spec, model, filled);
  if ((spec.quorum ?? 1) > spec.shards)
    throw new Fault('unprocessable', `quorum: ${spec.quorum} of ${spec.shards} shards`, { field: 'quorum' });
  return { ...spec, dataset: { name: manifest.name, version: manifest.version } };
}

async function storeOnce(
  store: ObjectStore,
  asked: JobSpec,
  accepted: AnyAcceptedJob,
): Promise<AnyAcceptedJob> {
  const { job } = accepted;
  if ((await putJson(store, jobSpecKey(job), accepted, 'create')).kind === 'written') return accepted;
  const earlier = await acceptedEarlier(store, job, asked);
  if (earlier !== undefined) return earlier;
  throw new Fault('unavailable', `job ${job} is being removed`);
}

/** @returns undefined where there is no such job @throws Fault `conflict` where it has another spec */
async function acceptedEarlier(
  store: ObjectStore,
  job: string,
  asked: JobSpec,
): Promise<AnyAcceptedJob | undefined> {
  const earlier = await getJson(store, jobSpecKey(job), AnyAcceptedJob);
  if (earlier === undefined || isSame(earlier.spec, settledAs(earlier.spec, asked))) return earlier;
  throw new Fault('conflict', `job ${job} exists already, with another spec`);
}

const isSame = (one: JobSpec, other: JobSpec) => JSON.stringify(one) === JSON.stringify(other);

/** Which version was the newest was settled when the job was accepted. Only training jobs are stored with it. */
function settledAs(stored: JobSpec, asked: JobSpec): JobSpec {
  if (stored.kind !== 'train' || asked.kind !== 'train' || asked.dataset.version !== undefined) return asked;
  return { ...asked, dataset: { name: asked.dataset.name, version: stored.dataset.version } };
}

async function datasetOf(store: ObjectStore, spec: TrainSpec): Promise<DatasetManifest> {
  try {
    return await readManifest(store, spec.dataset.name, spec.dataset.version);
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'not_found') {
      throw new Fault('unprocessable', `dataset: ${thrown.message}`, { field: 'dataset', cause: thrown });
    }
    throw thrown;
  }
}

async function forwardModel(
  store: ObjectStore,
  spec: TrainSpec,
): Promise<ReturnType<typeof signatureOf> & { readonly model: Model }> {
  try {
    const model = decodeModel(await graphBlob(store, spec.model.graph));
    return { model, ...signatureOf(model) };
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.retryable) throw thrown;
    throw new Fault('unprocessable', `model.graph: ${thrown.message}`, {
      field: 'model.graph',
      cause: thrown,
    });
  }
}

/** @throws Fault `too_large`, before it is read; `not_found` */
async function graphBlob(store: ObjectStore, graph: string): Promise<Uint8Array<ArrayBuffer>> {
  const size = (await store.head(blobKey(graph)))?.size ?? 0;
  if (size > MAX_GRAPH_BYTES)
    throw new Fault('too_large', `the graph has ${size} bytes; at most ${MAX_GRAPH_BYTES} are allowed`);
  return getBlob(store, graph);
}

/** Is there what the rules over names, and LoRA, speak of? @param filled inputs that become parameters */
function checkParameters(spec: TrainSpec, model: Model, filled: ReadonlySet<string>): void {
  const { parameters, lora, loss, seed } = spec;
  const names = [...floatInitializers(model), ...filled];
  if (lora !== undefined) {
    const base = filled.size === 0 ? model : initializeParameters(model, parameters.initialize, seed);
    for (const { name } of loraTargets(base, lora, [loss.output], parameters.freeze))
      names.push(loraA(name), loraB(name));
  }
  checkPatterns(parameters, names);
}

/** Do the model, the dataset and the loss belong together? */
function checkFit(
  spec: TrainSpec,
  manifest: DatasetManifest,
  model: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] },
): void {
  const refuse = (field: string, message: string): never => {
    throw new Fault('unprocessable', `${field}: ${message}`, { field });
  };
  const names = (things: Iterable<string>) => [...things].join(', ');
  const tensors = manifest.tensors;
  checkInputs(model.inputs, tensors, spec.inputs);

  const output =
    model.outputs.find((each) => each.name === spec.loss.output) ??
    refuse('loss.output', `the model has no such output; it has ${names(model.outputs.map((o) => o.name))}`);
  lossOf(spec.loss).check(spec.loss, output, lossColumns(spec.loss, tensors));
  const { gate } = spec.release;
  const metrics = metricsOf(spec.loss, output.shape.length);
  if (gate !== undefined && !metrics.includes(gate.metric))
    refuse('release.gate.metric', `${spec.loss.kind} is judged by ${names(metrics)}, not ${gate.metric}`);

  for (const role of ['train', 'test'] as const) {
    if (manifest.splits[spec.splits[role]] === undefined) {
      refuse(
        `splits.${role}`,
        `the dataset has no such split; it has ${names(Object.keys(manifest.splits))}`,
      );
    }
  }
  const rows = manifest.splits[spec.splits.train]?.rows ?? 0;
  if (spec.shards > rows) refuse('shards', `${spec.shards} shards of ${rows} rows: at most one per row`);
}
