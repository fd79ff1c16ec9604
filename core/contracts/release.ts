import { z } from 'zod';
import { CascadeSpec } from './cascade.ts';
import { DTYPE_NAMES } from '../tensors/dtypes.ts';
import { JobId, Metrics, Name, Ordinal, Sha256, Timestamp, V1 } from './primitives.ts';
import { RoutingDefaults } from './routing-defaults.ts';

export const SignatureTensor = z.strictObject({
  name: z.string().min(1),
  dtype: z.enum(DTYPE_NAMES),
  /** A string is a symbolic dimension. */
  shape: z.array(z.union([z.int().min(0), z.string()])),
});

/** Milliseconds of a run as the release task measured it: for comparing variants, not what a target will take. */
export const VariantLatency = z.strictObject({
  median: z.number().min(0),
  /** Rows of each run. */
  batch: z.int().min(1),
  runs: z.int().min(1),
  /** Name and version of the ONNX runtime it was measured with. */
  runtime: z.string(),
});
export type VariantLatency = z.infer<typeof VariantLatency>;

export const Variant = z.strictObject({
  /** Blob of a self-contained ONNX file. */
  sha256: Sha256,
  bytes: z.int().min(1),
  /** On held-out rows, and of single rows; recorded where there is more than one variant to choose from. */
  metrics: Metrics.optional(),
  latencyMs: VariantLatency.optional(),
});
export type Variant = z.infer<typeof Variant>;

export const Variants = z.strictObject({ fp32: Variant, int8: Variant.optional() });
export type Variants = z.infer<typeof Variants>;

/** Variants that were asked for and left out, and why. */
export const OmittedVariants = z.strictObject({ int8: z.string() });
export type OmittedVariants = z.infer<typeof OmittedVariants>;

/**
 * What LoRA trained, by itself: a safetensors blob with `<weight>.lora_A` [in, rank] and `<weight>.lora_B` [rank, out],
 * and whatever was trained beside them.
 */
export const Adapter = z.strictObject({
  sha256: Sha256,
  bytes: z.int().min(1),
  rank: z.int().min(1),
  alpha: z.number().positive(),
  /** Blob of the forward graph that the adapter belongs to. */
  base: Sha256,
});
export type Adapter = z.infer<typeof Adapter>;

/** `models/<name>/releases/<n>.json`, create-only. */
export const Release = z.strictObject({
  v: V1,
  model: Name,
  release: Ordinal,
  variants: Variants,
  omitted: OmittedVariants.optional(),
  /** Where the job fine-tuned with LoRA; the variants have it merged into their weights. */
  adapter: Adapter.optional(),
  signature: z.strictObject({ inputs: z.array(SignatureTensor), outputs: z.array(SignatureTensor) }),
  metrics: Metrics,
  /** For requests that do not say it themselves. */
  routing: RoutingDefaults.optional(),
  /** Holds for every request that does not say otherwise. */
  cascade: CascadeSpec.optional(),
  lineage: z.strictObject({
    job: JobId,
    dataset: z.strictObject({ name: Name, version: Ordinal }),
    /** The graph the job started from. */
    graph: Sha256,
    /** The release whose files these are: this one says other things about its requests. */
    release: Ordinal.optional(),
  }),
  createdAt: Timestamp,
});
export type Release = z.infer<typeof Release>;

/** `models/<name>/channels/<channel>/<seq>.json`, create-only; the highest sequence number is in force. */
export const ChannelMove = z.strictObject({
  v: V1,
  model: Name,
  channel: Name,
  release: Ordinal,
  movedAt: Timestamp,
});
export type ChannelMove = z.infer<typeof ChannelMove>;

/** Body of `POST /v1/models/{m}/channels/{channel}`. */
export const MoveChannelRequest = z.strictObject({ release: Ordinal });

/** Body of `POST /v1/models/{m}/releases`: the files of one release as a new one, with other words about its requests. */
export const ReleaseRequest = z
  .strictObject({
    /** Points to the new release then. */
    channel: Name.default('stable'),
    /** Whose files; left out: what the channel points to. */
    from: Ordinal.optional(),
    /** null: none; left out: as they are. */
    routing: RoutingDefaults.nullable().optional(),
    cascade: CascadeSpec.nullable().optional(),
  })
  .refine(({ routing, cascade }) => routing !== undefined || cascade !== undefined, {
    path: ['body'],
    message: 'must say routing, cascade or both',
  });
/** Its answer. */
export const Rereleased = z.strictObject({ model: Name, channel: Name, release: Ordinal });
export type Rereleased = z.infer<typeof Rereleased>;

/** As it is written: what has a default may be left out. */
export type ReleaseRequest = z.input<typeof ReleaseRequest>;

/** `GET /v1/models`. */
export const ModelList = z.strictObject({
  models: z.array(
    z.strictObject({ name: Name, releases: z.int().min(0), channels: z.record(Name, Ordinal) }),
  ),
});
export type ModelList = z.infer<typeof ModelList>;

/** `GET /v1/models/{m}/releases`, newest first. */
export const ReleaseList = z.strictObject({ releases: z.array(Release) });
export type ReleaseList = z.infer<typeof ReleaseList>;
