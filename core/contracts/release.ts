import { z } from 'zod';
import { DTYPE_NAMES } from '../tensors/dtypes.ts';
import { JobId, Metrics, Name, Ordinal, Sha256, Timestamp, V1 } from './primitives.ts';

export const SignatureTensor = z.strictObject({
  name: z.string().min(1),
  dtype: z.enum(DTYPE_NAMES),
  /** A string is a symbolic dimension. */
  shape: z.array(z.union([z.int().min(0), z.string()])),
});

export const Variant = z.strictObject({
  /** Blob of a self-contained ONNX file. */
  sha256: Sha256,
  bytes: z.int().min(1),
});

/** `models/<name>/releases/<n>.json`, create-only. */
export const Release = z.strictObject({
  v: V1,
  model: Name,
  release: Ordinal,
  variants: z.strictObject({ fp32: Variant }),
  signature: z.strictObject({ inputs: z.array(SignatureTensor), outputs: z.array(SignatureTensor) }),
  metrics: Metrics,
  lineage: z.strictObject({
    job: JobId,
    dataset: z.strictObject({ name: Name, version: Ordinal }),
    /** The graph the job started from. */
    graph: Sha256,
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
