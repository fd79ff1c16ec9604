/** Splitting: settles what a spec left open, cuts the work into parts and writes the plan, create-only. */
import { outputForm } from '../../core/autodiff/losses/form.ts';
import {
  type AcceptedFanOut,
  FanOutPlan,
  type FanOutKind,
  type FanOutSpec,
  type MapSpec,
} from '../../core/contracts/fan-out.ts';
import type { LossSpec } from '../../core/contracts/loss.ts';
import type { Usage } from '../../core/contracts/usage.ts';
import { jobPlanKey } from '../../core/contracts/keys.ts';
import { Fault } from '../../core/errors.ts';
import { countItems, cutItems } from '../../core/fan-out/items.ts';
import { boundOutputs, rowBytes, rowRanges, runsOf } from '../../core/fan-out/ranges.ts';
import { settleBatch, type Settled, settleEvaluated, settle } from '../../core/fan-out/settle.ts';
import type { Range } from '../../core/jobs/schedule.ts';
import type { OutputForm } from '../../core/metrics/evaluation.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import { getBlob, type HashedRange } from '../../core/storage/blobs.ts';
import { createOrRead, getJson } from '../../core/storage/json.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { sha256Native } from '../adapters/sha256.ts';

/** @returns the plan that is stored: where another delivery was quicker, that one's, which is then not new */
export async function planFanOut(
  {
    store,
    now,
    meter,
  }: {
    readonly store: ObjectStore;
    readonly now: () => Date;
    readonly meter?: { read(): { readonly usage: Usage } };
  },
  { job, spec: asked, acceptedAt }: AcceptedFanOut,
): Promise<{ readonly plan: FanOutPlan; readonly isNew: boolean }> {
  const key = jobPlanKey(job);
  const earlier = await getJson(store, key, FanOutPlan);
  if (earlier !== undefined) return { plan: earlier, isNew: false };
  const { spec, model, parts, form, itemBytes } = await split(store, asked);
  const usage = meter?.read().usage;
  const plan: FanOutPlan = {
    v: 1,
    job,
    spec,
    model,
    ...(form === undefined ? {} : { form }),
    parts,
    ...(itemBytes === undefined ? {} : { itemBytes }),
    acceptedAt,
    ...(usage === undefined ? {} : { usage }),
    plannedAt: now().toISOString(),
  };
  const { value, isNew } = await createOrRead(store, key, plan, FanOutPlan);
  return { plan: value, isNew };
}

interface Split extends Settled {
  readonly parts: Range[];
  readonly form?: OutputForm;
  readonly itemBytes?: HashedRange[];
}

async function split(store: ObjectStore, asked: FanOutSpec): Promise<Split> {
  switch (asked.kind) {
    case 'batch': {
      const settled = await settleBatch(store, asked);
      const { spec, release, manifest } = settled;
      const outputs = boundOutputs(release.signature, manifest.tensors, spec.inputs);
      const kept = outputs.filter(({ name }) => spec.outputs?.includes(name) ?? true);
      return { ...settled, parts: rowRanges(manifest.splits[spec.split]!, spec.shards, rowBytes(kept)) };
    }
    case 'evaluate': {
      const settled = await settleEvaluated(store, asked);
      const { spec, manifest, model } = settled;
      // Outputs are scored as they come: none is kept.
      const parts = rowRanges(manifest.splits[spec.split]!, spec.shards, 0);
      return { ...settled, parts, form: await formOf(store, model, spec.loss) };
    }
    case 'map': {
      const settled = await settle(store, asked);
      return { ...settled, ...(await splitItems(store, asked)) };
    }
  }
}

async function splitItems(
  store: ObjectStore,
  { items, itemsPerPart }: MapSpec,
): Promise<Pick<Split, 'parts' | 'itemBytes'>> {
  if (!('blob' in items)) return { parts: runsOf(items.length, itemsPerPart) };
  const blob = await getBlob(store, items.blob);
  const parts = runsOf(countItems(blob), itemsPerPart);
  const itemBytes = cutItems(blob, parts).map(({ start, end }) => ({
    start,
    end,
    sha256: sha256Native(blob.subarray(start, end)),
  }));
  return { parts, itemBytes };
}

export async function formOf(
  store: ObjectStore,
  model: string,
  loss: LossSpec | undefined,
): Promise<OutputForm> {
  if (loss === undefined) throw new Fault('internal', 'an evaluation was settled without a loss');
  return outputForm(decodeModel(await getBlob(store, model)), loss);
}

/** @throws Fault `internal` where the plan is of another kind */
export function specOfKind<K extends FanOutKind>(
  { job, spec }: FanOutPlan,
  kind: K,
): Extract<FanOutSpec, { kind: K }> {
  if (spec.kind !== kind) throw new Fault('internal', `${job} is a job of kind ${spec.kind}, not ${kind}`);
  return spec as Extract<FanOutSpec, { kind: K }>;
}
