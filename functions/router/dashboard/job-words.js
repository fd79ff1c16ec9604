/** What a job is and how it stands, in words. Pure. */
import { bytes, count, headline, plural, short, span } from './format.js';
/** @import { FanOut, JobView, ListedJob, Tile } from './types.ts' */

/** @type {Readonly<Record<ListedJob['status'], { sign: string, tone: string }>>} */
export const STATUS = {
  queued: { sign: '○', tone: '' },
  running: { sign: '●', tone: 'train' },
  paused: { sign: '‖', tone: '' },
  succeeded: { sign: '✓', tone: 'train' },
  failed: { sign: '✕', tone: 'bad' },
  stopped: { sign: '■', tone: 'bad' },
  cancelled: { sign: '–', tone: '' },
};

/** @type {Readonly<Record<ListedJob['kind'], string>>} */
const WORK = { train: 'Training', batch: 'Batch inference', evaluate: 'Evaluation', map: 'Map' };

/** @param {ListedJob} job samples or rows a second */
export const speedOf = (job) => (job.kind === 'train' ? job.samplesPerSecond : job.rowsPerSecond);

/** Tasks that a running job waits for, at least one. @param {ListedJob} job */
export const tasksOf = (job) =>
  Math.max(1, job.kind === 'train' ? job.shards - job.shardsDone : job.parts - job.partsDone);

/** The metrics of a job that ended well. @param {ListedJob} job */
export const testOf = ({ result }) =>
  headline(result !== null && 'metrics' in result ? result.metrics : undefined);

/** Why a job ended without what it was for. @param {ListedJob} job */
export function reasonOf({ result }) {
  if (result?.status === 'failed') return `Failed: ${result.reason}`;
  return result?.status === 'stopped' ? `Stopped: ${result.reason}` : undefined;
}

/** Shards that are named. */
const TOLD = 3;

/** What rounds of a training closed without, and why. @param {ListedJob} job */
export function lostOf(job) {
  const lost = (job.kind === 'train' && job.lost) || [];
  if (lost.length === 0) return undefined;
  const told = lost
    .slice(0, TOLD)
    .map(
      ({ shard, rounds, reason }) => `Shard ${shard} was left out of ${plural(rounds, 'round')}: ${reason}.`,
    );
  const others = lost.length - told.length;
  return [...told, ...(others === 0 ? [] : [`So were ${plural(others, 'other shard')}.`])].join(' ');
}

/** @param {ListedJob} job */
export function nameOf({ model, dataset }) {
  const on = dataset === undefined ? '' : ` on ${dataset.name}`;
  return `${model}${on}${dataset?.version === undefined ? '' : ` version ${dataset.version}`}`;
}

/** To those who listen. @param {ListedJob} job */
export function announcement(job) {
  const test = testOf(job);
  const figure = test === undefined ? '' : `: test ${test.name} ${test.text}`;
  return `${WORK[job.kind]} of ${job.model} ${job.status}${figure}`;
}

/** @param {ListedJob} job committed steps of all there are, and what they are called */
export function progressOf(job) {
  const [step, steps, begun, name] =
    job.kind === 'train'
      ? [job.round, job.rounds, job.shardsDone / job.shards, 'round']
      : [job.partsDone, job.parts, 0, 'part'];
  const share = job.status === 'succeeded' ? 1 : steps === 0 ? 0 : Math.min(1, (step + begun) / steps);
  return { step, steps, share, text: `${count(step)} of ${plural(steps, name)}` };
}

/** One line of the list. @param {ListedJob} job */
export function outcome(job) {
  const test = testOf(job);
  if (job.kind !== 'train') {
    const done = `${count(job.rowsDone)} of ${plural(job.rows, job.kind === 'map' ? 'item' : 'row')}`;
    const course = job.status === 'queued' ? 'waiting for the fleet' : done;
    return `${WORK[job.kind]}, ${test === undefined ? course : `${test.name} ${test.text}`}`;
  }
  if (job.result?.status === 'succeeded')
    return `${test === undefined ? '' : `${test.name} ${test.text}, `}release ${job.result.release}`;
  if (job.status === 'running') return `round ${count(job.round)} of ${count(job.rounds)}`;
  return job.status === 'queued' ? 'waiting for the fleet' : `after ${plural(job.round, 'round')}`;
}

/** @param {JobView & { kind: 'train' }} job @returns {Tile[]} */
function trainingTiles(job) {
  const epoch = job.history.at(-1)?.epoch ?? 0;
  const moved =
    epoch === 0 || job.bytes === null ? undefined : bytes((job.bytes.up + job.bytes.down) / epoch);
  return [
    ['Rounds', count(job.round), job.rounds > 0 ? `of ${count(job.rounds)}` : ''],
    ['Epochs', epoch.toFixed(epoch % 1 === 0 ? 0 : 1), `of ${count(job.epochs)}`],
    ...tile(
      job.status === 'running',
      'Shards of this round',
      count(job.shardsDone),
      `of ${count(job.shards)}`,
    ),
    ['Throughput', short(job.samplesPerSecond), 'samples/s'],
    ...(moved === undefined ? [] : tile(true, 'Moved', moved, 'an epoch')),
  ];
}

/** @param {FanOut} job @returns {Tile[]} */
function partTiles(job) {
  const unit = job.kind === 'map' ? 'items' : 'rows';
  const done = job.result?.status === 'succeeded' ? job.result : null;
  const { output } = done ?? {};
  const failed = done?.failed ?? 0;
  return [
    [unit === 'items' ? 'Items' : 'Rows', count(job.rowsDone), `of ${count(job.rows)}`],
    ['Parts', count(job.partsDone), `of ${count(job.parts)}`],
    ['Throughput', short(job.rowsPerSecond), `${unit}/s`],
    ...tile(failed > 0, 'Refused', count(failed), unit),
    ...(output === undefined
      ? []
      : tile(true, 'Files', count(output.shards), `${short(output.bytes)} bytes`)),
  ];
}

/** @param {boolean} isThere @param {Tile} tile @returns {Tile[]} */
const tile = (isThere, ...tile) => (isThere ? [tile] : []);

/**
 * The job's figures. Its clock goes on between two tellings.
 * @param {JobView} job
 * @param {number} sinceTold seconds
 * @returns {Tile[]}
 */
export function tilesOf(job, sinceTold) {
  const since = job.result === null ? sinceTold : 0;
  const test = testOf(job);
  const left = job.secondsLeft === null ? '–' : span(Math.max(0, job.secondsLeft - since));
  const release = job.kind === 'train' && job.result?.status === 'succeeded' ? job.result.release : 0;
  return [
    ...(job.kind === 'train' ? trainingTiles(job) : partTiles(job)),
    ['Time', job.status === 'queued' ? '–' : span(job.seconds + since), ''],
    ...tile(job.result === null, 'Time left', left, ''),
    ...(test === undefined ? [] : tile(true, `Test ${test.name}`, test.text, '')),
    ...tile(release > 0, 'Release', String(release), ''),
  ];
}
