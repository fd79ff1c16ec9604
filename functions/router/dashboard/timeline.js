/** The timeline of the job that is shown: read while the job runs, turned by pages, pointed at, and as a table. */
import { ask } from './api.js';
import { byId, find, narrow, speakWhileFocused, time } from './dom.js';
import { clock, count } from './format.js';
import { followed } from './jobs.js';
import { known, on } from './state.js';
import { fillTable } from './table.js';
import { drawTimelineChart } from './timeline-chart.js';
import { isTold, itemsOf } from './timeline-items.js';
import { totalOf } from './timeline-layout.js';
import { legendOf } from './timeline-marks.js';
/** @import { JobTimeline, Told } from './types.ts' */

/** Rounds that there is room for on a narrow screen. */
const NARROW_ROUNDS = 6;
/** Read when the job gets on, but at most this often; and every few seconds, as shards end without a round ending. */
const LEAST_MS = 1_000;
const USUAL_MS = 2_000;
const SLOWEST_MS = 30_000;

const figure = byId('timeline');
const box = find(figure, '.scroll');
const svg = /** @type {SVGSVGElement} */ (/** @type {unknown} */ (find(box, 'svg')));
const readout = find(figure, 'output');
const details = /** @type {HTMLDetailsElement} */ (find(figure, 'details'));
const [back, onward] = /** @type {[HTMLButtonElement, HTMLButtonElement]} */ (
  /** @type {unknown} */ (figure.querySelectorAll('.turn button'))
);

/** @type {JobTimeline | null} */
let data = null;
/** Round, or part, that was asked for; undefined: the newest. @type {number | undefined} */
let first;
/** @type {Told[]} */
let told = [];
/** Of `told`. @type {number | null} */
let at = null;
let tabled = '';
let isStale = false;
let wake = () => {};
/** Of the job that is watched. @type {AbortSignal | undefined} */
let signal;

/** @param {string} job @param {AbortSignal} signal */
async function readPage(job, signal) {
  const hasRounds = known.jobs.some((each) => each.job === job && each.kind === 'train');
  const query = new URLSearchParams();
  if (first !== undefined) query.set('first', String(first));
  if (hasRounds && narrow.matches) query.set('limit', String(NARROW_ROUNDS));
  const answer = await (await ask(`/v1/jobs/${job}/timeline?${query}`, signal)).json();
  if (signal.aborted) return;
  data = answer;
  draw();
}

/** While the job runs again and again, and once when it has ended. @param {string} job @param {AbortSignal} signal */
async function watch(job, signal) {
  let failures = 0;
  while (!signal.aborted) {
    try {
      isStale = false;
      if (!document.hidden) await readPage(job, signal);
      if (data?.endedAt !== undefined) return;
      failures = 0;
    } catch {
      failures += 1;
    }
    const pause = Math.min(SLOWEST_MS, LEAST_MS * 2 ** failures);
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (isStale) continue;
    await new Promise((resolve) => {
      wake = () => resolve(undefined);
      setTimeout(resolve, USUAL_MS);
    });
  }
}

function draw() {
  figure.hidden = data === null || data.page.length === 0;
  const width = box.clientWidth;
  if (data === null || figure.hidden || width === 0) return;
  const items = itemsOf(data);
  told = items.filter(isTold);
  drawTimelineChart(svg, data, items, width, at);
  readout.textContent = at === null ? '' : (told[at]?.words ?? '');
  find(figure, '.legend').replaceChildren(...legendOf(items));
  drawTurn(data);
  drawTable();
}

/** @param {JobTimeline} timeline */
function drawTurn(timeline) {
  const total = totalOf(timeline);
  const next = timeline.first + timeline.page.length;
  const [name, all] = timeline.kind === 'train' ? ['Rounds', timeline.rounds] : ['Parts', total];
  find(figure, '.turn').hidden = timeline.page.length >= total;
  find(figure, '.turn span').textContent = `${name} ${timeline.first} to ${next - 1} of ${count(all)}`;
  back.disabled = timeline.first === 0;
  onward.disabled = next >= total;
}

/** @param {1 | -1} way */
async function turn(way) {
  const job = known.following;
  if (data === null || job === undefined) return;
  const next = data.first + way * data.page.length;
  // The last page goes on with the job.
  first = next + data.page.length >= totalOf(data) ? undefined : Math.max(0, next);
  at = null;
  await readPage(job, followed()).catch(() => {});
}

/** Only while it is looked at: it may be long. */
function drawTable() {
  if (!details.open) return;
  const rows = told.map(({ cells }) => cells);
  const text = JSON.stringify(rows);
  if (tabled === text) return;
  tabled = text;
  fillTable(
    find(details, 'table'),
    [
      ['What', ([name]) => name],
      ['State', ([, state]) => state],
      ['Began', ([, , began]) => (began === null ? '–' : time(began, clock(began)))],
      ['Took', ([, , , seconds]) => seconds, 'number'],
      ['Where', ([, , , , place]) => place],
      ['Notes', ([, , , , , notes]) => notes],
    ],
    rows,
  );
}

/** @param {number | null} index */
function pointAt(index) {
  if (at === index) return;
  at = index;
  draw();
}

/** @param {KeyboardEvent} event */
function step(event) {
  const last = told.length - 1;
  if (event.key === 'Escape') pointAt(null);
  const now = at ?? (event.key === 'ArrowLeft' ? last + 1 : -1);
  const steps = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last };
  if (!(event.key in steps) || last < 0) return;
  event.preventDefault();
  const next = Math.max(0, Math.min(last, steps[/** @type {keyof typeof steps} */ (event.key)]));
  pointAt(next);
  find(svg, `[data-item="${next}"]`).scrollIntoView({ block: 'nearest' });
}

export function startTimeline() {
  on(['following'], () => {
    if (followed() === signal) return;
    signal = followed();
    [data, first, told, at, tabled] = [null, undefined, [], null, ''];
    figure.hidden = true;
    if (known.following !== undefined) void watch(known.following, signal);
  });
  on(['job'], () => {
    isStale = true;
    wake();
  });
  back.addEventListener('click', () => void turn(-1));
  onward.addEventListener('click', () => void turn(1));
  details.addEventListener('toggle', drawTable);
  svg.addEventListener('pointermove', ({ target }) => {
    const index = /** @type {Element} */ (target).closest('[data-item]')?.getAttribute('data-item');
    pointAt(typeof index === 'string' ? Number(index) : null);
  });
  for (const gone of ['pointerleave', 'blur']) svg.addEventListener(gone, () => pointAt(null));
  svg.addEventListener('keydown', step);
  speakWhileFocused(readout, svg);
  new ResizeObserver(draw).observe(figure);
}
