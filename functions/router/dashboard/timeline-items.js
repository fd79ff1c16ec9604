/**
 * What there is to draw of a timeline: executions, waits, what is missing, merges. Pure. Times are Unix seconds.
 */
import { clock, took } from './format.js';
/**
 * @import { Item, JobTimeline, Ran, Spot, TimelinePart, TimelineRound, TimelineShard, Told, TrainTimeline } from './types.ts'
 */

/** @param {string} at */
export const secondsOf = (at) => Date.parse(at) / 1000;

/** @param {Item} item @returns {item is Told} */
export const isTold = (item) => 'words' in item;

/** @param {TimelineShard | TimelinePart} of @param {Ran} ran @param {number} i */
function notesOf({ state, ran: all }, ran, i) {
  return [
    all.length > 1 ? `execution ${i + 1} of ${all.length}${i > 0 ? ', handed on to' : ''}` : '',
    ran.copy === undefined ? '' : `backup copy ${ran.copy}`,
    ran.attempt === undefined ? '' : `delivery ${ran.attempt}`,
    state === 'late' ? 'too late: the round was closed' : '',
  ].filter(Boolean);
}

/** @param {Ran} ran */
function labelOf({ copy, attempt, place }) {
  return [copy && `copy ${copy}`, attempt && `delivery ${attempt}`, place].filter(Boolean).join(' · ');
}

/** Told by colour and by pattern. @param {Ran} ran @param {boolean} isLate @returns {Pick<Told, 'tone' | 'pattern'>} */
function lookOf({ copy, attempt }, isLate) {
  const [tone, pattern] =
    copy !== undefined
      ? /** @type {const} */ (['cloud', 'copy'])
      : attempt !== undefined
        ? /** @type {const} */ (['edge', 'again'])
        : ['train', undefined];
  return { tone: isLate ? 'bad' : tone, ...(pattern === undefined ? {} : { pattern }) };
}

/**
 * Each goes on where the one before ended.
 * @param {string} name
 * @param {TimelineShard | TimelinePart} of
 * @param {Spot} place
 * @param {number | undefined} announced of a shard: when it was queued
 * @returns {Item[]}
 */
function executions(name, of, place, announced) {
  const isLate = of.state === 'late';
  return of.ran.flatMap((ran, i) => {
    const from = secondsOf(ran.startedAt);
    const before = of.ran[i - 1];
    const since = before === undefined ? announced : endOf(before);
    const notes = notesOf(of, ran, i);
    const facts = [
      took(ran.seconds),
      `from ${clock(ran.startedAt)}`,
      ...(ran.place === undefined ? [] : [`on ${ran.place}`]),
      ...(i === 0 && since !== undefined
        ? [`${took(Math.max(0, from - since))} after it was announced`]
        : []),
      ...notes,
    ];
    /** @type {Item[]} */
    const waited =
      since === undefined ? [] : [{ kind: i === 0 ? 'wait' : 'link', from: since, to: from, ...place }];
    return [
      ...waited,
      {
        kind: isLate ? 'late' : 'bar',
        from,
        to: from + ran.seconds,
        ...place,
        ...lookOf(ran, isLate),
        label: labelOf(ran),
        words: `${name}: ${facts.join(', ')}`,
        cells: [name, of.state, ran.startedAt, took(ran.seconds), ran.place ?? '–', notes.join(', ') || '–'],
      },
    ];
  });
}

/** @param {Ran} ran */
const endOf = ({ startedAt, seconds }) => secondsOf(startedAt) + seconds;

/**
 * What is to say of a shard beside its executions.
 * @param {string} name
 * @param {TimelineShard} shard
 * @param {Spot} place
 * @param {number} from
 * @param {number} to
 * @param {boolean} isOver the job
 * @returns {Item[]}
 */
function rest(name, { state, ran, reason }, place, from, to, isOver) {
  if (state === 'late' || (state === 'done' && ran.length > 0)) return [];
  const [kind, why] = {
    missing: /** @type {const} */ (['gone', 'missing: the round was closed without it']),
    lost: /** @type {const} */ (['gone', `lost: ${reason ?? 'no retry mends it'}`]),
    done: /** @type {const} */ (['wait', 'done; when, its update does not tell']),
    open: /** @type {const} */ (['open', isOver ? 'no update when the job ended' : 'no update yet']),
  }[state];
  const note = kind === 'gone' && reason !== undefined ? reason : why;
  return [
    {
      kind,
      from,
      to: Math.max(from, to),
      ...place,
      words: `${name}: ${why}`,
      cells: [name, state, null, '–', '–', note],
    },
  ];
}

/** @param {TimelineRound} round @param {string} committedAt @param {Spot} place @returns {Told} */
function commitOf({ round, mergeSeconds, mergers }, committedAt, place) {
  const closed = secondsOf(committedAt);
  const from = closed - (mergeSeconds ?? 0) / mergers;
  const by = mergers > 1 ? `by ${mergers} mergers together` : '';
  const merged =
    mergeSeconds === undefined ? '' : `merged in ${[took(mergeSeconds), by].filter(Boolean).join(' ')}, `;
  return {
    kind: 'commit',
    from,
    to: closed,
    ...place,
    words: `round ${round}: ${merged}committed at ${clock(committedAt)}`,
    cells: [
      `round ${round}, merge`,
      'committed',
      mergeSeconds === undefined ? null : new Date(from * 1000).toISOString(),
      mergeSeconds === undefined ? '–' : took(mergeSeconds),
      '–',
      by || '–',
    ],
  };
}

/** @param {TrainTimeline} timeline @param {TimelineRound} round @returns {Item[]} */
function roundItems({ endedAt, now, overlap, shards }, round) {
  const announced = secondsOf(round.announcedAt);
  const lane = round.round % overlap;
  const until = secondsOf(round.committedAt ?? endedAt ?? now);
  const items = round.shards.flatMap((shard) => {
    const name = `round ${round.round}, shard ${shard.shard}`;
    const place = { row: shard.shard, lane };
    const last = shard.ran.at(-1);
    const from = last === undefined ? announced : endOf(last);
    return [
      ...executions(name, shard, place, announced),
      ...rest(name, shard, place, from, until, endedAt !== undefined),
    ];
  });
  return round.committedAt === undefined
    ? items
    : [...items, commitOf(round, round.committedAt, { row: shards, lane })];
}

/**
 * A training has a row for each shard, and one for the merges; other jobs one for each part.
 * @param {JobTimeline} timeline
 * @returns {Item[]}
 */
export function itemsOf(timeline) {
  return timeline.kind === 'train'
    ? timeline.page.flatMap((round) => roundItems(timeline, round))
    : timeline.page.flatMap((part) =>
        executions(`part ${part.part}`, part, { row: part.part - timeline.first, lane: 0 }, undefined),
      );
}
