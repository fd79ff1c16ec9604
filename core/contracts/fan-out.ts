/**
 * Jobs that are split into parts, done in any order and merged in theirs: batch inference, evaluation, and map.
 * What is asked (spec), what was decided (plan), what came of each part (report) and of the whole (manifest, result).
 */
import { z } from 'zod';
import { VARIANT_NAMES } from '../registry/variant-names.ts';
import { DTYPE_NAMES } from '../tensors/dtypes.ts';
import { JobStatus } from './job-status.ts';
import { LimitFields, LimitName } from './limits.ts';
import { LossSpec } from './loss.ts';
import { JobId, Metrics, Name, Ordinal, Sha256, Timestamp, Traceparent, V1 } from './primitives.ts';
import { Spent, Usage } from './usage.ts';

/** Rows, or items, of one job; and so also its parts. Each has its own key that a merge reads. */
export const MAX_PARTS = 10_000;

/** A release by its number (the Open Inference Protocol's version), or the one a channel points to at the planning. */
export const ModelReference = z
  .strictObject({
    name: Name,
    release: Ordinal.optional(),
    /** `stable` where neither is given. */
    channel: Name.optional(),
    variant: z.enum(VARIANT_NAMES).default('fp32'),
  })
  .refine(({ release, channel }) => release === undefined || channel === undefined, {
    path: ['channel'],
    error: 'there must be one of release and channel, not both',
  });
export type ModelReference = z.infer<typeof ModelReference>;

const OverRows = {
  model: ModelReference,
  /** Without a version: the newest when the job is planned. */
  dataset: z.strictObject({ name: Name, version: Ordinal.optional() }),
  split: Name.default('test'),
  /** Model input → dataset tensor. Left out: each input takes the tensor of its own name. */
  inputs: z.record(z.string().min(1).max(256), Name).default({}),
};
const InParts = {
  /** Parts of the split, of equal size. Left out: those of the dataset, cut where their output would be large. */
  shards: z.int().min(1).max(MAX_PARTS).optional(),
};

export const OUTPUT_FORMATS = ['safetensors', 'jsonl', 'csv'] as const;
export const OutputFormat = z.enum(OUTPUT_FORMATS);
export type OutputFormat = z.infer<typeof OutputFormat>;

export const BatchSpec = z.strictObject({
  v: V1.default(1),
  kind: z.literal('batch'),
  ...OverRows,
  ...InParts,
  /** Rows of one run of the model. */
  batchSize: z.int().min(1).max(65_536).default(256),
  /** Model outputs to keep, in this order; left out: all. */
  outputs: z.array(z.string().min(1).max(256)).min(1).optional(),
  format: OutputFormat.default('safetensors'),
  ...LimitFields,
});
export type BatchSpec = z.infer<typeof BatchSpec>;

export const EvaluateSpec = z.strictObject({
  v: V1.default(1),
  kind: z.literal('evaluate'),
  ...OverRows,
  ...InParts,
  /** What the model is judged by. Left out: the loss its release was trained with, and that job's `inputs` too. */
  loss: LossSpec.optional(),
  ...LimitFields,
});
export type EvaluateSpec = z.infer<typeof EvaluateSpec>;

/** What `map` applies to each item. A new kind is a row here and one in cloud/batch/mapped/table.ts. */
export const MapFunction = z.discriminatedUnion('kind', [
  z.strictObject({
    /** An item is one row: `{"<input>": number, or nested arrays of numbers}`. */
    kind: z.literal('predict'),
    model: ModelReference,
    /** Most items of one run, where the model takes several rows. */
    batchSize: z.int().min(1).max(65_536).default(256),
  }),
  z.strictObject({
    /** An item changes what is evaluated: `{"model": …}`, `{"dataset": …}`, `{"split": …}`, or several of them. */
    kind: z.literal('evaluate'),
    ...OverRows,
    loss: LossSpec.optional(),
  }),
]);
export type MapFunction = z.infer<typeof MapFunction>;

export const MapSpec = z.strictObject({
  v: V1.default(1),
  kind: z.literal('map'),
  function: MapFunction,
  /** Here, or as a blob of JSON Lines. */
  items: z.union([z.array(z.json()).min(1).max(100_000), z.strictObject({ blob: Sha256 })], {
    error: 'must be a list of at least one JSON value, or {"blob": "<SHA-256 of JSON Lines>"}',
  }),
  /** Items of one part. */
  itemsPerPart: z.int().min(1).max(100_000).default(100),
  ...LimitFields,
});
export type MapSpec = z.infer<typeof MapSpec>;

export const FANOUT_SPECS = [BatchSpec, EvaluateSpec, MapSpec] as const;
export const FanOutSpec = z.discriminatedUnion('kind', FANOUT_SPECS);
export type FanOutSpec = z.infer<typeof FanOutSpec>;
export const FanOutKind = z.enum(['batch', 'evaluate', 'map']);
export type FanOutKind = z.infer<typeof FanOutKind>;

/** `jobs/<id>/spec.json`: the spec as it was asked. */
export const AcceptedFanOut = z.strictObject({
  v: V1,
  job: JobId,
  spec: FanOutSpec,
  acceptedAt: Timestamp,
  /** As in {@link AcceptedJob}. */
  traceparent: Traceparent.optional(),
});
export type AcceptedFanOut = z.infer<typeof AcceptedFanOut>;

const RowRange = z.strictObject({ start: z.int().min(0), end: z.int().min(1) });

const HashedRange = z.strictObject({ ...RowRange.shape, sha256: Sha256 });

/** `jobs/<id>/plan.json`: everything a part needs to know, decided once. */
export const FanOutPlan = z.strictObject({
  v: V1,
  job: JobId,
  /** Settled: release, dataset version, inputs and loss are those that are used. */
  spec: FanOutSpec,
  /** Blob of the model that `spec` names. */
  model: Sha256,
  /** What the loss's output is, of an evaluation. */
  form: z.enum(['logits', 'probabilities', 'log-probabilities']).optional(),
  /** Rows, or items, `[start, end)` of each part: all of them, in order. */
  parts: z.array(RowRange).min(1).max(MAX_PARTS),
  /**
   * Where items are a blob: of each part the bytes of it that its items lie in, and their SHA-256, as those of a range
   * cannot be held against the blob's. Absent in plans of earlier versions: their parts read the whole blob.
   */
  itemBytes: z.array(HashedRange).max(MAX_PARTS).optional(),
  /** Of the job, which its deadline counts from; left out by versions that knew none. */
  acceptedAt: Timestamp.optional(),
  /** What planning took. */
  usage: Usage.optional(),
  plannedAt: Timestamp,
});
export type FanOutPlan = z.infer<typeof FanOutPlan>;

const OutputTensor = z.strictObject({
  name: z.string(),
  dtype: z.enum(DTYPE_NAMES),
  /** Of one row. */
  shape: z.array(z.int().min(0)),
});

/** `jobs/<id>/parts/<k>.json`, create-only: the part is done. */
export const PartReport = z.strictObject({
  v: V1,
  part: z.int().min(0),
  /** The file it wrote. */
  output: z.strictObject({ key: z.string(), bytes: z.int().min(1), sha256: Sha256 }).optional(),
  tensors: z.array(OutputTensor).optional(),
  /** Items that the function refused. */
  failed: z.int().min(0).optional(),
  /** Rank of the output that was judged, and what its metrics are made of; see Metric in core/metrics. */
  rank: z.int().min(0).optional(),
  tallies: z.record(z.string(), z.array(z.number())).optional(),
});
export type PartReport = z.infer<typeof PartReport>;

/** `outputs/<job>/manifest.json`: the job's output, whole. The same job gives the same bytes. */
export const OutputManifest = z.strictObject({
  v: V1,
  job: JobId,
  kind: FanOutKind,
  model: z.strictObject({ name: Name, release: Ordinal, variant: z.enum(VARIANT_NAMES), sha256: Sha256 }),
  dataset: z.strictObject({ name: Name, version: Ordinal, split: Name }).optional(),
  format: OutputFormat,
  /** Columns of a shard; absent where a line is any JSON. */
  tensors: z.array(OutputTensor).optional(),
  rows: z.int().min(1),
  shards: z.array(
    z.strictObject({
      shard: z.int().min(0),
      key: z.string(),
      /** Of its first row. */
      start: z.int().min(0),
      rows: z.int().min(1),
      bytes: z.int().min(1),
      sha256: Sha256,
    }),
  ),
});
export type OutputManifest = z.infer<typeof OutputManifest>;

const Ended = { v: V1, job: JobId, endedAt: Timestamp };

/** `jobs/<id>/result.json`, of the run after a redrive `result-2.json`; failures and cancellations are as those of every job. */
export const FanOutResult = z.discriminatedUnion('status', [
  z.strictObject({
    ...Ended,
    status: z.literal('succeeded'),
    /** Rows or items. */
    rows: z.int().min(1),
    output: z
      .strictObject({ manifest: z.string(), shards: z.int().min(1), bytes: z.int().min(1) })
      .optional(),
    /** Of an evaluation. */
    metrics: Metrics.optional(),
    /** Items that the function refused; the output says why. */
    failed: z.int().min(0).optional(),
    /** Left out by versions that did not count. */
    spent: Spent.optional(),
  }),
  z.strictObject({
    ...Ended,
    status: z.literal('failed'),
    reason: z.string(),
    field: z.string().optional(),
  }),
  z.strictObject({ ...Ended, status: z.literal('cancelled') }),
  /** Its deadline passed or its budget was spent: there is no whole, but the parts that are done stay. */
  z.strictObject({
    ...Ended,
    status: z.literal('stopped'),
    reason: z.string(),
    limit: LimitName,
    /** Parts that are done. */
    parts: z.int().min(0),
    spent: Spent,
  }),
]);
export type FanOutResult = z.infer<typeof FanOutResult>;

/** What `GET /v1/jobs/{id}` answers of such a job. */
export const FanOutView = z.strictObject({
  job: JobId,
  kind: FanOutKind,
  model: Name,
  /** Absent where the items are the data; without a version until it is planned, where none was asked for. */
  dataset: z.strictObject({ name: Name, version: Ordinal.optional() }).optional(),
  status: JobStatus,
  acceptedAt: Timestamp,
  /** 0 until planned, as are rows. */
  parts: z.int().min(0),
  partsDone: z.int().min(0),
  /** Rows, or items. */
  rows: z.int().min(0),
  rowsDone: z.int().min(0),
  rowsPerSecond: z.number().min(0),
  /** Seconds since the plan, until the end or now; and the estimate of what is left, null where unknown. */
  seconds: z.number().min(0),
  secondsLeft: z.number().min(0).nullable(),
  /** Metered from the plan and the parts that are done; left out until each of them was asked. */
  spent: Spent.optional(),
  result: FanOutResult.nullable(),
});
export type FanOutView = z.infer<typeof FanOutView>;
