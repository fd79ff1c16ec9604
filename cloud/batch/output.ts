/** Files of a job: each part writes its own, create-only, and the manifest lists them in order. */
import type { FanOutPlan, OutputFormat, OutputManifest, PartReport } from '../../core/contracts/fan-out.ts';
import { outputShardKey } from '../../core/contracts/keys.ts';
import { Fault } from '../../core/errors.ts';
import type { Format } from '../../core/fan-out/formats/format.ts';
import { modelOf } from '../../core/fan-out/view.ts';
import { rowsOfPlan } from '../../core/fan-out/work.ts';
import { createOrGet } from '../../core/storage/create.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { sha256Native } from '../adapters/sha256.ts';

/** @returns what lies in the store now: where another execution was quicker, its bytes */
export async function writeShard(
  store: ObjectStore,
  job: string,
  part: number,
  { extension, contentType }: Pick<Format, 'extension' | 'contentType'>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<NonNullable<PartReport['output']>> {
  const key = outputShardKey(job, part, extension);
  const putting = createOrGet(store, key, bytes, { contentType });
  // Meanwhile. Should it throw, which it does not, the put's own failure would be nobody's.
  const sha256 = sha256Native(bytes);
  const there = await putting;
  if (there === undefined) return { key, bytes: bytes.length, sha256 };
  return { key, bytes: there.size, sha256: sha256Native(there.body) };
}

export function manifestOf(
  plan: FanOutPlan,
  reports: readonly PartReport[],
  format: OutputFormat,
): OutputManifest {
  const { job, spec, model: sha256, parts } = plan;
  const { name, release = 0, variant } = modelOf(spec);
  return {
    v: 1,
    job,
    kind: spec.kind,
    model: { name, release, variant, sha256 },
    ...(spec.kind === 'map'
      ? {}
      : { dataset: { name: spec.dataset.name, version: spec.dataset.version ?? 0, split: spec.split } }),
    format,
    ...commonTensors(reports),
    rows: rowsOfPlan(plan),
    shards: reports.map(({ part, output }) => {
      const range = parts[part];
      if (output === undefined || range === undefined)
        throw new Fault('internal', `part ${part} of ${job} reports no output`);
      return { shard: part, ...output, start: range.start, rows: range.end - range.start };
    }),
  };
}

/** @throws Fault `unprocessable` where rows of one output differ in shape from shard to shard */
function commonTensors(reports: readonly PartReport[]): Pick<OutputManifest, 'tensors'> {
  const [first] = reports;
  if (first?.tensors === undefined) return {};
  const odd = reports.find(({ tensors }) => JSON.stringify(tensors) !== JSON.stringify(first.tensors));
  if (odd !== undefined)
    throw new Fault(
      'unprocessable',
      `outputs: those of part ${odd.part} have other shapes than those of part ${first.part}`,
      { field: 'outputs' },
    );
  return { tensors: first.tensors };
}
