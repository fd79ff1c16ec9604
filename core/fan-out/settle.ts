/**
 * From a spec as it was asked to one that leaves nothing open: release, dataset version, inputs, loss. Done when a job
 * is accepted, to refuse what cannot be, and again when it is planned, for good.
 */
import { lossColumns } from '../autodiff/losses/columns.ts';
import { lossOf } from '../autodiff/losses/table.ts';
import type { DatasetManifest } from '../contracts/dataset.ts';
import type {
  BatchSpec,
  EvaluateSpec,
  FanOutSpec,
  MapFunction,
  ModelReference,
} from '../contracts/fan-out.ts';
import { AcceptedJob } from '../contracts/job.ts';
import { blobKey, jobSpecKey } from '../contracts/keys.ts';
import type { Release } from '../contracts/release.ts';
import { checkInputs } from '../datasets/fit.ts';
import { readManifest } from '../datasets/read.ts';
import { Fault } from '../errors.ts';
import { currentChannel } from '../registry/channels.ts';
import { getRelease } from '../registry/releases.ts';
import { VARIANT_NAMES } from '../registry/variant-names.ts';
import { getBlob } from '../storage/blobs.ts';
import { getJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { ROW_COLUMN } from './formats/columns.ts';
import { countItems, MAX_ITEM_BYTES } from './items.ts';

export interface Settled<S = FanOutSpec> {
  readonly spec: S;
  readonly release: Release;
  /** Blob of the model. */
  readonly model: string;
}

export interface SettledRows<S> extends Settled<S> {
  readonly manifest: DatasetManifest;
}

/** What is evaluated, by a job or by a function that is mapped. */
export type Evaluated = Pick<EvaluateSpec, 'model' | 'dataset' | 'split' | 'inputs' | 'loss'>;

const DEFAULT_CHANNEL = 'stable';
/**
 * Bytes of items that are looked at before a job is accepted, while its client waits, in a function of little memory.
 * What is wrong with more of them the planning finds, as the job's reason.
 */
const CHECKED_BYTES = 1024 * 1024;

const refusal = (field: string, message: string, cause?: unknown) =>
  new Fault('unprocessable', `${field}: ${message}`, { field, cause });

/** @throws Fault `unprocessable` naming the field of what there is not, or what does not fit */
export function settle(store: ObjectStore, spec: FanOutSpec): Promise<Settled> {
  switch (spec.kind) {
    case 'batch':
      return settleBatch(store, spec);
    case 'evaluate':
      return settleEvaluated(store, spec);
    case 'map':
      return settleMap(store, spec);
  }
}

export async function settleBatch(store: ObjectStore, spec: BatchSpec): Promise<SettledRows<BatchSpec>> {
  const settled = await settleRows(store, spec);
  const { signature } = settled.release;
  const has = signature.outputs.map(({ name }) => name);
  const outputs = spec.outputs ?? has;
  const repeated = outputs.find((name, at) => outputs.indexOf(name) !== at);
  if (repeated !== undefined) throw refusal('outputs', `${repeated} is named twice`);
  for (const name of outputs) {
    const output = signature.outputs.find((each) => each.name === name);
    if (output === undefined)
      throw refusal('outputs', `the model has no output ${name}; it has ${has.join(', ')}`);
    if (output.shape.length === 0)
      throw refusal('outputs', `${name} is one number for a whole run, not one for each row`);
    if (name === ROW_COLUMN && spec.format !== 'safetensors')
      throw refusal('outputs', `${name} is what ${spec.format} calls the number of the row`);
  }
  return { ...settled, spec: { ...settled.spec, outputs: [...outputs] } };
}

export async function settleEvaluated<S extends Evaluated>(
  store: ObjectStore,
  spec: S,
): Promise<SettledRows<S>> {
  const { release } = await findRelease(store, spec.model, 'model');
  // What it was trained with, where nothing else is asked for; expired jobs are no longer known.
  const trained =
    spec.loss === undefined ? await getJson(store, jobSpecKey(release.lineage.job), AcceptedJob) : undefined;
  const loss = spec.loss ?? trained?.spec.loss;
  if (loss === undefined)
    throw refusal(
      'loss',
      `the job that trained ${release.model} ${release.release} is gone: it must be given`,
    );
  const inputs = { ...trained?.spec.inputs, ...spec.inputs };
  const settled = await settleRows(store, { ...spec, inputs });
  const outputs = release.signature.outputs;
  const output = outputs.find(({ name }) => name === loss.output);
  if (output === undefined)
    throw refusal(
      'loss.output',
      `the model has no such output; it has ${outputs.map(({ name }) => name).join(', ')}`,
    );
  lossOf(loss).check(loss, output, lossColumns(loss, settled.manifest.tensors));
  return { ...settled, spec: { ...settled.spec, loss } };
}

async function settleMap(store: ObjectStore, spec: Extract<FanOutSpec, { kind: 'map' }>): Promise<Settled> {
  const { release, model } = await settleFunction(store, spec.function).catch(within('function'));
  const { items } = spec;
  if ('blob' in items) {
    const found = await store.head(blobKey(items.blob));
    if (found === undefined) throw refusal('items.blob', `no blob ${items.blob}`);
    if (found.size > MAX_ITEM_BYTES)
      throw refusal('items.blob', `${found.size} bytes of items; at most ${MAX_ITEM_BYTES} are allowed`);
    if (found.size <= CHECKED_BYTES) countItems(await getBlob(store, items.blob));
  }
  return {
    spec: {
      ...spec,
      function: { ...spec.function, model: { ...spec.function.model, ...numbered(release) } },
    },
    release,
    model,
  };
}

/** What a function needs apart from its items; of an evaluation, these may still change. */
function settleFunction(
  store: ObjectStore,
  applied: MapFunction,
): Promise<{ readonly release: Release; readonly model: string }> {
  return applied.kind === 'predict'
    ? findRelease(store, applied.model, 'model')
    : settleEvaluated(store, applied);
}

const numbered = ({ release }: Release) => ({ release, channel: undefined });

/** Faults of a part of the spec, with their fields as the client wrote them. */
const within =
  (prefix: string) =>
  (thrown: unknown): never => {
    if (!(thrown instanceof Fault) || thrown.field === undefined) throw thrown;
    const field = `${prefix}.${thrown.field}`;
    throw new Fault(thrown.code, `${prefix}.${thrown.message}`, { field, cause: thrown });
  };

async function settleRows<S extends Evaluated>(store: ObjectStore, spec: S): Promise<SettledRows<S>> {
  const finding = findDataset(store, spec.dataset);
  // Where both are wrong the model is what is told.
  finding.catch(() => {});
  const { release, model } = await findRelease(store, spec.model, 'model');
  const manifest = await finding;
  checkInputs(release.signature.inputs, manifest.tensors, spec.inputs);
  const rows = manifest.splits[spec.split]?.rows;
  if (rows === undefined)
    throw refusal(
      'split',
      `the dataset has no split ${spec.split}; it has ${Object.keys(manifest.splits).join(', ')}`,
    );
  const { shards } = spec as { readonly shards?: number };
  if (shards !== undefined && shards > rows)
    throw refusal('shards', `${shards} shards of ${rows} rows: at most one per row`);
  return {
    spec: {
      ...spec,
      model: { ...spec.model, ...numbered(release) },
      dataset: { name: manifest.name, version: manifest.version },
    },
    release,
    model,
    manifest,
  };
}

async function findRelease(
  store: ObjectStore,
  { name, release: asked, channel = DEFAULT_CHANNEL, variant }: ModelReference,
  field: string,
): Promise<{ readonly release: Release; readonly model: string }> {
  const number = asked ?? (await currentChannel(store, name, channel))?.release;
  if (number === undefined)
    throw (await getRelease(store, name, 1)) === undefined
      ? refusal(`${field}.name`, `there is no model ${name}`)
      : refusal(`${field}.channel`, `${name} has no channel ${channel}`);
  const release = await getRelease(store, name, number);
  if (release === undefined)
    throw (await getRelease(store, name, 1)) === undefined
      ? refusal(`${field}.name`, `there is no model ${name}`)
      : refusal(`${field}.release`, `${name} has no release ${number}`);
  const file = release.variants[variant];
  if (file === undefined) {
    const has = VARIANT_NAMES.filter((each) => release.variants[each] !== undefined).join(', ');
    throw refusal(`${field}.variant`, `release ${number} of ${name} has no ${variant}; it has ${has}`);
  }
  return { release, model: file.sha256 };
}

async function findDataset(
  store: ObjectStore,
  { name, version }: EvaluateSpec['dataset'],
): Promise<DatasetManifest> {
  try {
    return await readManifest(store, name, version);
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.code !== 'not_found') throw thrown;
    throw refusal(version === undefined ? 'dataset.name' : 'dataset', thrown.message, thrown);
  }
}
