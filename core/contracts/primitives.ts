/** The words every other contract is spelled with. */
import { z } from 'zod';

/** Names of models, datasets and channels: safe in a URL, a key and a Prometheus label. */
export const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be 1 to 63 of a-z 0-9 . _ - and start with a letter or digit');

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in 64 lower-case hex digits');

/** `job_` and a ULID-like suffix; also anything a client chose as an idempotency key, hashed. */
export const JobId = z.string().regex(/^job_[0-9a-z]{8,40}$/, 'must look like job_0123abcd');

/** A pattern over the names of parameters; see core/patterns.ts. */
export const Pattern = z.string().min(1).max(256);

/** Versions and releases count from 1. */
export const Ordinal = z.int().min(1);

/** ISO 8601, UTC. */
export const Timestamp = z.iso.datetime();

/** W3C Trace Context, version 00: the trace, and the span that asked for what carries it. */
export const Traceparent = z
  .string()
  .regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/, 'must be a W3C traceparent of version 00');

/** A whole number as a query has it: digits. Both bounds are included. */
export const wholeText = (least: number, most: number) => {
  const range = `must be a whole number of ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, range)
    .transform(Number)
    .refine((n) => n >= least && n <= most, range);
};

/** Every stored JSON object and message says which version of its schema it has. */
export const V1 = z.literal(1);

export const Metrics = z.record(z.string(), z.number());
export type Metrics = z.infer<typeof Metrics>;
