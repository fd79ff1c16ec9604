/** Where everything lies in the bucket. All objects are immutable; see docs/formats.md. */

export const blobKey = (sha256: string) => `blobs/sha256/${sha256}`;

export const datasetKey = (name: string, version: number) => `datasets/${name}/${version}/manifest.json`;
export const datasetShardKey = (name: string, version: number, split: string, shard: number) =>
  `datasets/${name}/${version}/${split}-${String(shard).padStart(5, '0')}.safetensors`;

export const MODELS_PREFIX = 'models/';
export const releaseKey = (model: string, release: number) => `models/${model}/releases/${release}.json`;
export const channelKey = (model: string, channel: string, sequence: number) =>
  `models/${model}/channels/${channel}/${sequence}.json`;

export const jobSpecKey = (job: string) => `jobs/${job}/spec.json`;
export const jobPlanKey = (job: string) => `jobs/${job}/plan.json`;
/** @param run counts from 1; every redrive begins another */
export const jobResultKey = (job: string, run = 1) =>
  run === 1 ? `jobs/${job}/result.json` : `jobs/${job}/result-${run}.json`;
export const jobControlKey = (job: string, sequence: number) => `jobs/${job}/control/${sequence}.json`;
/** Of a round's updates, and in a folder of each shard's of its checkpoints. */
export const shardsPrefix = (job: string, round: number) => `jobs/${job}/rounds/${round}/shards/`;
export const shardUpdateKey = (job: string, round: number, shard: number) =>
  `${shardsPrefix(job, round)}${shard}.safetensors`;
/** Where a shard whose function ran out of time got to; parts count from 1. */
export const shardPartKey = (job: string, round: number, shard: number, part: number) =>
  `${shardsPrefix(job, round)}${shard}/part-${part}.safetensors`;
export const lostShardKey = (job: string, round: number, shard: number, run: number) =>
  `jobs/${job}/rounds/${round}/lost/${shard}-${run}.json`;
export const roundMembersKey = (job: string, round: number) => `jobs/${job}/rounds/${round}/members.json`;
export const mergedSliceKey = (job: string, round: number, slice: number) =>
  `jobs/${job}/rounds/${round}/slices/${slice}.json`;
export const roundPrefix = (job: string, round: number) => `jobs/${job}/rounds/${round}/`;
/** A watch looked at the round for the n-th time. */
export const roundLookKey = (job: string, round: number, n: number) =>
  `${roundPrefix(job, round)}looks/${n}.json`;
export const partsLooksPrefix = (job: string) => `jobs/${job}/looks/`;
/** The same of the parts of a job that is split and merged. */
export const partsLookKey = (job: string, n: number) => `${partsLooksPrefix(job)}${n}.json`;
export const jobRevivalsPrefix = (job: string) => `jobs/${job}/revivals/`;
/** The job was silent, and was announced again for the n-th time. */
export const jobRevivalKey = (job: string, n: number) => `${jobRevivalsPrefix(job)}${n}.json`;
/** A part of a job that is split and merged is done: see core/fan-out. */
export const partReportPrefix = (job: string) => `jobs/${job}/parts/`;
export const partReportKey = (job: string, part: number) => `${partReportPrefix(job)}${part}.json`;
export const roundCommitKey = (job: string, round: number) => `jobs/${job}/rounds/${round}/commit.json`;

/** Of a model, and of a day as `2026-01-31`. The same rows are kept once a day, under the SHA-256 of the file. */
export const hardExamplesPrefix = (model: string, day = '') =>
  `hard-examples/${model}/${day === '' ? '' : `${day}/`}`;
export const hardExampleKey = (model: string, day: string, sha256: string) =>
  `${hardExamplesPrefix(model, day)}${sha256}.safetensors`;

/**
 * Jobs, newest first: LIST returns keys in ascending order only, so the time is counted down from a fixed far end
 * and zero-padded. The object repeats the job id.
 */
export const JOB_INDEX_PREFIX = 'index/jobs/';
const FAR_END_MS = 99_999_999_999_999;
export const jobIndexKey = (job: string, acceptedAtMs: number) =>
  `${JOB_INDEX_PREFIX}${String(FAR_END_MS - acceptedAtMs).padStart(14, '0')}-${job}`;
export const jobOfIndexKey = (key: string) => key.slice(JOB_INDEX_PREFIX.length + 15);

/** What a job gives as files: not below `jobs/`, whose objects expire. */
export const outputManifestKey = (job: string) => `outputs/${job}/manifest.json`;
export const outputShardKey = (job: string, shard: number, extension: string) =>
  `outputs/${job}/part-${String(shard).padStart(5, '0')}.${extension}`;

/** A job spec put here starts a job; what became of it is told at the same place of the outbox. */
export const INBOX_PREFIX = 'inbox/';
export const INBOX_SUFFIX = '.json';
/** @param key of the inbox @param sequencer tells puts of one key apart */
export const outboxKey = (key: string, sequencer: string) =>
  `outbox/${key.slice(INBOX_PREFIX.length, -INBOX_SUFFIX.length)}/${sequencer}.json`;
