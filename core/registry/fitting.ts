/** Whether what a release is to say of its requests can be done: found out when it is said, not by each request. */
import type { CascadeSpec } from '../contracts/cascade.ts';
import { jobSpecKey } from '../contracts/keys.ts';
import type { LossSpec } from '../contracts/loss.ts';
import { AnyAcceptedJob } from '../contracts/job.ts';
import type { Release } from '../contracts/release.ts';
import type { RoutingDefaults } from '../contracts/routing-defaults.ts';
import { Fault } from '../errors.ts';
import { SERVED_CHANNEL } from '../inference/config.ts';
import { decodeModel } from '../onnx/model.ts';
import { checkCascade } from '../routing/cascade/check.ts';
import { getBlob } from '../storage/blobs.ts';
import { getJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { currentChannel } from './channels.ts';
import { getRelease } from './releases.ts';

/** @throws Fault `unprocessable` where the release has no such variant */
export function checkRouting({ variant }: RoutingDefaults, { model, release, variants }: Release): void {
  if (variant === undefined || variants[variant] !== undefined) return;
  const has = Object.keys(variants).join(', ');
  throw refused('routing.variant', `release ${release} of ${model} has no variant ${variant}; it has ${has}`);
}

/**
 * @throws Fault `unprocessable` naming the field: no such output, other scores, no such larger model, or one that takes
 *   or answers something else
 */
export async function checkReleasedCascade(
  store: ObjectStore,
  cascade: CascadeSpec,
  release: Release,
): Promise<void> {
  const [graph, loss] = await Promise.all([
    getBlob(store, release.variants.fp32.sha256),
    lossOf(store, release.lineage.job),
  ]);
  checkCascade(cascade, decodeModel(graph), loss, '');
  if (cascade.large === undefined) return;
  const { inputs, outputs } = (await largeRelease(store, cascade.large)).signature;
  const { model } = cascade.large;
  const { signature } = release;
  const different =
    unlike(signature.inputs, inputs, 'input') ??
    unlike(inputs, signature.inputs, 'input') ??
    unlike(signature.outputs, outputs, 'output');
  if (different !== undefined)
    throw refused(
      'cascade.large.model',
      `${model} must have the inputs and outputs of ${release.model}: they differ in ${different}`,
    );
}

async function largeRelease(
  store: ObjectStore,
  { model, version }: NonNullable<CascadeSpec['large']>,
): Promise<Release> {
  const number = version ?? (await currentChannel(store, model, SERVED_CHANNEL))?.release;
  const found = number === undefined ? undefined : await getRelease(store, model, number);
  if (found !== undefined) return found;
  const isThere = (await getRelease(store, model, 1)) !== undefined;
  if (!isThere) throw refused('cascade.large.model', `no model ${model}`);
  if (version === undefined)
    throw refused('cascade.large.model', `${model} has no channel ${SERVED_CHANNEL}; name a version`);
  throw refused('cascade.large.version', `${model} has no release ${version}`);
}

/** Nothing where its documents are gone. */
async function lossOf(store: ObjectStore, job: string): Promise<LossSpec | undefined> {
  const accepted = await getJson(store, jobSpecKey(job), AnyAcceptedJob);
  return accepted?.spec.kind === 'train' ? accepted.spec.loss : undefined;
}

/** @returns the first of these that the others have not, or have in another form */
function unlike(
  these: readonly TensorSpec[],
  others: readonly TensorSpec[],
  what: 'input' | 'output',
): string | undefined {
  const found = these.find(({ name, dtype, shape }) => {
    const other = others.find((each) => each.name === name);
    if (other?.dtype !== dtype || other.shape.length !== shape.length) return true;
    // A symbolic dimension takes any size.
    return shape.some((size, i) => {
      const its = other.shape[i];
      return typeof size === 'number' && typeof its === 'number' && size !== its;
    });
  });
  return found && `the ${what} ${found.name}`;
}

const refused = (field: string, message: string) =>
  new Fault('unprocessable', `${field}: ${message}`, { field });
