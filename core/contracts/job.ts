/** A training job: what is asked (spec), what was decided (plan), what came of it (commits, result). */
import { z } from 'zod';
import { CascadeSpec } from './cascade.ts';
import { AcceptedFanOut, FANOUT_SPECS, FanOutView } from './fan-out.ts';
import { LossSpec } from './loss.ts';
import { JobStatus } from './job-status.ts';
import { Gate } from './metric.ts';
import { OptimizationFields } from './optimizer.ts';
import { LimitFields, LimitName } from './limits.ts';
import { LoraSpec } from './lora.ts';
import { ParametersSpec } from './parameters.ts';
import {
  JobId,
  Metrics,
  Name,
  Ordinal,
  Sha256,
  Timestamp,
  Traceparent,
  V1,
  wholeText,
} from './primitives.ts';
import { OmittedVariants } from './release.ts';
import { RoutingDefaults } from './routing-defaults.ts';
import { CompressionSpec, StrategySpec } from './strategy.ts';
import { Predicted, Spent, TaskMeter, Usage } from './usage.ts';

export const TrainSpec = z.strictObject({
  v: V1.default(1),
  kind: z.literal('train'),
  /** The name releases are published under, and the blob of the forward ONNX graph to start from. */
  model: z.strictObject({ name: Name, graph: Sha256 }),
  /** Without a version: the newest when the job is accepted. */
  dataset: z.strictObject({ name: Name, version: Ordinal.optional() }),
  /** Graph input → dataset tensor. Left out: each graph input takes the tensor of its own name. */
  inputs: z.record(z.string().min(1).max(256), Name).default({}),
  loss: LossSpec,
  parameters: ParametersSpec.prefault({}),
  /** Trains low-rank adapters; then of the parameters themselves only what `parameters.train` matches. */
  lora: LoraSpec.optional(),
  ...OptimizationFields,
  epochs: z.int().min(1).max(10_000).default(1),
  batchSize: z.int().min(1).max(65_536).default(64),
  shards: z.int().min(1).max(1_000).default(4),
  strategy: StrategySpec.prefault({ kind: 'local-sgd' }),
  /** Updates that close a round once the missing shards are lost; left out: all. */
  quorum: z.int().min(1).max(1_000).optional(),
  ...LimitFields,
  compression: CompressionSpec.optional(),
  seed: z.int().min(0).max(0xffff_ffff).default(0),
  /** For those who compare: nothing is decided by it. */
  predicted: Predicted.optional(),
  splits: z.strictObject({ train: Name, test: Name }).default({ train: 'train', test: 'test' }),
  release: z
    .strictObject({
      channel: Name.default('stable'),
      gate: Gate.optional(),
      /**
       * Also releases a variant with 8-bit weights, where the gate's metric (the first one without a gate) is no more
       * than `tolerance` worse than the float32 model's, in the metric's own unit.
       */
      int8: z.strictObject({ tolerance: z.number().min(0).default(0.005) }).optional(),
      routing: RoutingDefaults.optional(),
      cascade: CascadeSpec.optional(),
    })
    .prefault({}),
});
/** As a client writes it: everything with a default may be left out. */
export type TrainRequest = z.input<typeof TrainSpec>;
export type TrainSpec = z.infer<typeof TrainSpec>;

export const JobSpec = z.discriminatedUnion('kind', [TrainSpec, ...FANOUT_SPECS]);
export type JobSpec = z.infer<typeof JobSpec>;

/** `jobs/<id>/spec.json` of a training job: the accepted spec; its dataset version is settled. */
export const AcceptedJob = z.strictObject({
  v: V1,
  job: JobId,
  spec: TrainSpec,
  acceptedAt: Timestamp,
  /** Of whoever started the job; what is done for it goes on in that trace. Left out by versions that kept none. */
  traceparent: Traceparent.optional(),
});
export type AcceptedJob = z.infer<typeof AcceptedJob>;

/** `jobs/<id>/spec.json` of any job. */
export const AnyAcceptedJob = z.union([AcceptedJob, AcceptedFanOut]);
export type AnyAcceptedJob = z.infer<typeof AnyAcceptedJob>;

/** One trainable tensor's place in the flat parameter vector. */
export const ParameterSlot = z.strictObject({
  name: z.string(),
  shape: z.array(z.int().min(0)),
  /** In elements. */
  offset: z.int().min(0),
  length: z.int().min(0),
  /** Where it is not the optimizer's own. */
  weightDecay: z.number().min(0).optional(),
  /** No gradient changes it: each batch computes its next value. Such slots are the last. */
  assigned: z.literal(true).optional(),
});
export type ParameterSlot = z.infer<typeof ParameterSlot>;

/** A blob, and its size with that of the blobs it names. */
export const Part = z.strictObject({ sha256: Sha256, bytes: z.int().min(0) });
export type Part = z.infer<typeof Part>;

/** A blob that stands for several, in the order of the slices of the flat vector. */
export const PartIndex = z.strictObject({ v: V1, parts: z.array(Part).min(1) });
export type PartIndex = z.infer<typeof PartIndex>;

/** `jobs/<id>/plan.json`: everything a shard or merge task needs to know, decided once. */
export const JobPlan = z.strictObject({
  v: V1,
  job: JobId,
  dataset: z.strictObject({ name: Name, version: Ordinal }),
  /** The forward graph that is trained, a blob: the spec's own where nothing in it is initialized anew. */
  forward: Sha256,
  /** Training graph (forward, loss, gradients) and the training state before round 0, both blobs. */
  trainingGraph: Sha256,
  initialState: Sha256,
  /** What shards of the first rounds start from, where that is not the state itself. */
  initialModel: Part.optional(),
  parameters: z.array(ParameterSlot).min(1),
  /** Row ranges `[start, end)` of the train split, one per shard. */
  shards: z.array(z.strictObject({ start: z.int().min(0), end: z.int().min(1) })).min(1),
  stepsPerEpoch: z.int().min(1),
  /** Optimizer steps of each shard over the whole job. */
  steps: z.int().min(1),
  localSteps: z.int().min(1),
  rounds: z.int().min(1),
  /** What planning took. */
  usage: Usage.optional(),
  /** Rounds that may be under way beside the one that is merged next; left out: none. */
  staleness: z.int().min(1).optional(),
  /** Slices of the flat vector, one a merge task; left out: one task merges all of it. */
  slices: z
    .array(z.strictObject({ start: z.int().min(0), end: z.int().min(1), trained: z.int().min(0) }))
    .min(2)
    .optional(),
  plannedAt: Timestamp,
});
export type JobPlan = z.infer<typeof JobPlan>;

const Measured = {
  /** What the means below are weighted by: elements the loss counted (rows, tokens), or the sum of their weights. */
  count: z.number().min(0),
  /** Mean over what was counted, 0 where that is nothing. */
  loss: z.number(),
  /** Over what was counted; the first is the one to show. */
  metrics: Metrics,
};

/** Written into the safetensors metadata of a shard's update, and copied into the commit. */
export const ShardReport = z.strictObject({
  shard: z.int().min(0),
  /** Rows trained on. */
  samples: z.int().min(1),
  ...Measured,
});
export type ShardReport = z.infer<typeof ShardReport>;

/** `jobs/<id>/rounds/<r>/lost/<k>-<run>.json`: no update of this shard will come, for this reason. */
export const LostShard = z.strictObject({
  v: V1,
  job: JobId,
  round: z.int().min(0),
  shard: z.int().min(0),
  reason: z.string(),
  field: z.string().optional(),
  at: Timestamp,
});
export type LostShard = z.infer<typeof LostShard>;

/** A shard that rounds closed without, by their quorum. */
export const LeftOut = z.strictObject({
  shard: z.int().min(0),
  /** How many, and why the last of them. */
  rounds: z.int().min(1),
  reason: z.string(),
});
export type LeftOut = z.infer<typeof LeftOut>;

/** What a job went without, in the order of its shards; left out: nothing, or by versions that did not tell. */
const Lost = { lost: z.array(LeftOut).min(1).optional() };

/** An update that is in a round. */
export const RoundShard = ShardReport.extend({
  sha256: Sha256,
  /** With its parts; left out by versions that did not count. */
  bytes: z.int().min(0).optional(),
  /** What the shard keeps for its next update, where the compression has it keep anything. */
  residual: Part.optional(),
  /** When its first execution began, what all took, and each: its meter. */
  ...TaskMeter.partial().shape,
});
export type RoundShard = z.infer<typeof RoundShard>;

/**
 * Bytes of the objects that a round's tasks exchange through the store, each counted as often as tasks have to read or
 * write it: a function that still holds an object reads less, a task done twice reads more.
 */
export const Traffic = z.strictObject({
  /** Written by shards: updates, and what they keep for their next ones. */
  up: z.int().min(0),
  /** Read by shards: the parameters (and optimizer state) they start from, and what they kept. */
  down: z.int().min(0),
  mergeRead: z.int().min(0),
  mergeWritten: z.int().min(0),
});
export type Traffic = z.infer<typeof Traffic>;

/** `jobs/<id>/rounds/<r>/members.json`: the updates that a round's mergers merge, settled before the first of them. */
export const RoundMembers = z.strictObject({
  v: V1,
  job: JobId,
  round: z.int().min(0),
  shards: z.array(RoundShard).min(1),
});
export type RoundMembers = z.infer<typeof RoundMembers>;

/**
 * `jobs/<id>/rounds/<r>/slices/<i>.json`: a merger's slice is done. `read`: bytes it had to read for it.
 */
export const MergedSlice = z.strictObject({
  v: V1,
  job: JobId,
  round: z.int().min(0),
  slice: z.int().min(0),
  state: Part,
  model: Part.optional(),
  read: z.int().min(0),
  /** What it took. */
  usage: Usage.optional(),
});
export type MergedSlice = z.infer<typeof MergedSlice>;

/** `jobs/<id>/rounds/<r>/commit.json`. Its existence closes the round: later updates are refused. */
export const RoundCommit = z.strictObject({
  v: V1,
  job: JobId,
  round: z.int().min(0),
  /** Training state before and after, both blobs. */
  base: Sha256,
  state: Sha256,
  /** What the shards that follow start from, where that is not the state itself. */
  model: Part.optional(),
  shards: z.array(RoundShard).min(1),
  /** Shards that were lost: the round closed without them, by its quorum. */
  missing: z.array(z.int().min(0)).optional(),
  /** By the job up to here. */
  ...Lost,
  /** For each shard what it kept when it was last in, null where it never was; left out: shards keep nothing. */
  residuals: z.array(Part.nullable()).optional(),
  /** By the job up to here. */
  spent: Spent.optional(),
  samples: z.int().min(1),
  ...Measured,
  /** Left out by versions that did not count. */
  bytes: Traffic.optional(),
  committedAt: Timestamp,
});
export type RoundCommit = z.infer<typeof RoundCommit>;

const Ended = { v: V1, job: JobId, endedAt: Timestamp };

/** `jobs/<id>/result.json`. Its existence ends the job (or its run): every later task of it is dropped. */
export const JobResult = z.discriminatedUnion('status', [
  z.strictObject({
    ...Ended,
    status: z.literal('succeeded'),
    release: Ordinal,
    /** The forward graph with the trained parameters: the released blob. */
    graph: Sha256,
    metrics: Metrics,
    omitted: OmittedVariants.optional(),
    ...Lost,
    spent: Spent.optional(),
  }),
  z.strictObject({
    ...Ended,
    status: z.literal('failed'),
    reason: z.string(),
    field: z.string().optional(),
    metrics: Metrics.optional(),
    ...Lost,
    /** Until then, by what had left a report. */
    spent: Spent.optional(),
  }),
  z.strictObject({ ...Ended, status: z.literal('cancelled') }),
  /** Its deadline passed or its budget was spent: no release, but what was trained is kept. */
  z.strictObject({
    ...Ended,
    status: z.literal('stopped'),
    reason: z.string(),
    limit: LimitName,
    /** Committed rounds, and the training state after them, a blob; absent before the plan. */
    rounds: z.int().min(0),
    state: Sha256.optional(),
    ...Lost,
    spent: Spent.optional(),
  }),
]);
export type JobResult = z.infer<typeof JobResult>;

/** What is to be seen of a training job. */
export const TrainView = z.strictObject({
  job: JobId,
  kind: z.literal('train'),
  model: Name,
  dataset: z.strictObject({ name: Name, version: Ordinal }),
  status: JobStatus,
  acceptedAt: Timestamp,
  /** Committed rounds, and how many there will be; both 0 until planned. */
  round: z.int().min(0),
  rounds: z.int().min(0),
  epochs: z.int().min(1),
  shards: z.int().min(1),
  /** Updates present for the round that is running. */
  shardsDone: z.int().min(0),
  samples: z.int().min(0),
  samplesPerSecond: z.number().min(0),
  /** Seconds since the plan, until the end or now; and the estimate of what is left, null where unknown. */
  seconds: z.number().min(0),
  secondsLeft: z.number().min(0).nullable(),
  ...Lost,
  /** Metered up to the last commit, or the end. */
  spent: Spent.optional(),
  /** By its planner, where it was asked. */
  predicted: Predicted.optional(),
  /** Moved between tasks and store in the committed rounds; null where one of them was not counted. */
  bytes: Traffic.nullable(),
  /** One point per committed round: training loss and metrics over that round. */
  history: z.array(
    z.strictObject({
      round: z.int(),
      epoch: z.number(),
      /** Optimizer steps of each shard by its end, and the learning rate of the last of them. */
      step: z.int().optional(),
      learningRate: z.number().optional(),
      /** Updates that are in, and when they were committed. */
      shards: z.int().optional(),
      committedAt: Timestamp.optional(),
      loss: z.number(),
      metrics: Metrics,
      samplesPerSecond: z.number(),
      bytes: Traffic.optional(),
    }),
  ),
  result: JobResult.nullable(),
});
export type TrainView = z.infer<typeof TrainView>;

/** What `GET /v1/jobs/{id}` answers, and each `progress` event of `…/events` carries. */
export const JobView = z.discriminatedUnion('kind', [TrainView, FanOutView]);
export type JobView = z.infer<typeof JobView>;

export const JobList = z.strictObject({
  jobs: z.array(z.discriminatedUnion('kind', [TrainView.omit({ history: true }), FanOutView])),
  /** Jobs that belong here and cannot be shown now, and why; left out: there are none. */
  unreadable: z.array(z.strictObject({ job: z.string(), error: z.string(), code: z.string() })).optional(),
});
export type JobList = z.infer<typeof JobList>;
/** Jobs on the one page that is answered, at most. */
export const LISTED_JOBS = 50;
export const JobListQuery = z.strictObject({ limit: wholeText(1, LISTED_JOBS).optional() });
export type JobListQuery = z.infer<typeof JobListQuery>;
