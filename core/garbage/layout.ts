/**
 * What every object in the bucket is, whether it is still needed, and whether what it names is. One row a kind of key, in
 * the order in which they are tried; a key that no row knows is somebody else's and is kept.
 */

/** A job as the collector sees it. */
export interface JobStanding {
  /** `redrivable`: failed or stopped, so `causeway jobs redrive` may go on with it. */
  readonly kind: 'live' | 'redrivable' | 'over';
  /** Committed rounds. */
  readonly closed: number;
  /** Rounds before the newest that the next one may still start from, where rounds overlap. */
  readonly staleness: number;
}

/** What the documents of a bucket say. */
export interface Facts {
  /** Jobs that have a spec. */
  readonly jobs: ReadonlyMap<string, JobStanding>;
  /** By folder of a dataset's version, the files that its manifest names. */
  readonly datasets: ReadonlyMap<string, ReadonlySet<string>>;
  /** Jobs whose output has a manifest: it is whole. */
  readonly outputs: ReadonlySet<string>;
  /** By SHA-256 of a blob, the key of an object that names it. */
  readonly named: ReadonlyMap<string, string>;
}

export interface Judgement {
  readonly keep: boolean;
  readonly reason: string;
}

const keep = (reason: string): Judgement => ({ keep: true, reason });
const drop = (reason: string): Judgement => ({ keep: false, reason });

interface Row {
  readonly what: string;
  readonly pattern: RegExp;
  /** @param parts the pattern's groups */
  readonly judge: (facts: Facts, ...parts: string[]) => Judgement;
  /** Is what it names needed because of it? Asked only of what is kept; left out: no. */
  readonly counts?: (facts: Pick<Facts, 'jobs'>, ...parts: string[]) => boolean;
  /** Of its text, what counts for nothing. */
  readonly except?: RegExp;
}

const always = () => true;
const ofJob = (what: string) => (facts: Facts, job: string) =>
  facts.jobs.has(job) ? keep(what) : drop('its job has no spec');

/** May the job still need what round `round` began with or made? */
function mayNeed(standing: JobStanding | undefined, round: number): boolean {
  switch (standing?.kind) {
    case undefined:
      return false;
    case 'live':
      return true;
    case 'redrivable':
      return round >= standing.closed - 1 - standing.staleness;
    // The last state is what another job may go on from.
    case 'over':
      return round === standing.closed - 1;
  }
}

/** Updates, checkpoints, residuals: needed until their round is closed, and with it only as long as the job goes on. */
function isOpen(standing: JobStanding | undefined, round: number): boolean {
  if (standing === undefined || standing.kind === 'over') return false;
  return standing.kind === 'live' || round >= standing.closed;
}

const LAYOUT: readonly Row[] = [
  {
    what: 'blobs',
    pattern: /^blobs\/sha256\/([0-9a-f]{64})$/,
    judge: ({ named }, sha256) => {
      const by = named.get(sha256);
      return by === undefined ? drop('nothing names it') : keep(`named by ${by}`);
    },
    // A blob may be a list of others: whoever reads the first needs them too.
    counts: always,
  },
  {
    what: 'dataset manifests',
    pattern: /^datasets\/[^/]+\/\d+\/manifest\.json$/,
    judge: () => keep('a dataset'),
    counts: always,
  },
  {
    what: 'dataset shards',
    pattern: /^(datasets\/[^/]+\/\d+\/)(.+)$/,
    judge: ({ datasets }, folder, file) => {
      const files = datasets.get(folder);
      if (files === undefined) return drop('its import wrote no manifest');
      return files.has(folder + file) ? keep('named by its manifest') : drop('its manifest does not name it');
    },
  },
  {
    what: 'releases and channels',
    pattern: /^models\/[^/]+\/(?:releases\/\d+|channels\/[^/]+\/\d+)\.json$/,
    judge: () => keep('a release, or where a channel pointed'),
    counts: always,
  },
  {
    what: 'job index',
    pattern: /^index\/jobs\/\d{14}-(job_[0-9a-z]+)$/,
    judge: ofJob('lists its job'),
  },
  {
    what: 'job documents',
    pattern: /^jobs\/([^/]+)\/(?:spec|result|result-\d+|control\/\d+|rounds\/\d+\/lost\/\d+-\d+)\.json$/,
    judge: ofJob('what was asked, done and came of it'),
    counts: always,
  },
  {
    what: 'job documents',
    pattern: /^jobs\/([^/]+)\/plan\.json$/,
    judge: ofJob('what was decided'),
    counts: ({ jobs }, job) => jobs.get(job)?.kind !== 'over',
  },
  {
    what: 'job documents',
    pattern: /^jobs\/([^/]+)\/rounds\/(\d+)\/commit\.json$/,
    judge: ofJob('how a round went'),
    counts: ({ jobs }, job, round) => mayNeed(jobs.get(job), Number(round)),
    // The state before it, which the commit before names where it is still needed.
    except: /"base":"[0-9a-f]{64}"/,
  },
  {
    what: 'looks',
    pattern: /^jobs\/([^/]+)\/(?:looks|revivals)\/\d+\.json$/,
    judge: ({ jobs }, job) =>
      jobs.get(job)?.kind === 'live' ? keep('its job may go on with it') : drop('its job has ended'),
  },
  {
    what: 'job documents',
    pattern: /^jobs\/([^/]+)\/parts\/\d+\.json$/,
    judge: ofJob('a part of it is done'),
  },
  {
    what: 'outputs',
    pattern: /^outputs\/([^/]+)\/.+$/,
    judge: ({ jobs, outputs }, job) => {
      if (outputs.has(job)) return keep('its manifest is there');
      const standing = jobs.get(job);
      const mayGoOn = standing !== undefined && standing.kind !== 'over';
      return mayGoOn ? keep('its job may go on with it') : drop('it has no manifest');
    },
  },
  {
    what: 'updates and checkpoints',
    pattern: /^jobs\/([^/]+)\/rounds\/(\d+)\/.+$/,
    judge: ({ jobs }, job, round) => {
      const standing = jobs.get(job);
      if (standing === undefined) return drop('its job has no spec');
      if (isOpen(standing, Number(round))) return keep('its job may go on with it');
      return drop(standing.kind === 'over' ? 'its job has ended' : 'its round is closed');
    },
    counts: always,
  },
];

const UNKNOWN = { what: 'other objects', judgement: keep('not a key of ours') };

function rowOf(key: string): { readonly row: Row; readonly parts: string[] } | undefined {
  for (const row of LAYOUT) {
    const match = row.pattern.exec(key);
    if (match !== null) return { row, parts: match.slice(1) };
  }
  return undefined;
}

export const whatIs = (key: string): string => rowOf(key)?.row.what ?? UNKNOWN.what;

export function judge(facts: Facts, key: string): Judgement {
  const found = rowOf(key);
  return found === undefined ? UNKNOWN.judgement : found.row.judge(facts, ...found.parts);
}

/** Is whatever the object names needed because of it? */
export function counts(facts: Facts, key: string): boolean {
  const found = rowOf(key);
  if (found?.row.counts === undefined) return false;
  return found.row.judge(facts, ...found.parts).keep && found.row.counts(facts, ...found.parts);
}

/** @returns what of an object's text counts */
export const countingText = (key: string, text: string): string => {
  const except = rowOf(key)?.row.except;
  return except === undefined ? text : text.replace(except, '');
};
