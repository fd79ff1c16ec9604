/** The job that is shown: its name, how far it is, its figures. */
import { byId, find, h, sign } from './dom.js';
import { STATUS, lostOf, nameOf, progressOf, reasonOf, tilesOf } from './job-words.js';
import { faults, known, on } from './state.js';

function draw() {
  const { job } = known;
  byId('job').hidden = job === null;
  drawNotice();
  if (job === null) return;
  byId('job-name').textContent = nameOf(job);
  byId('job-id').textContent = job.job;
  const status = byId('job-status');
  status.dataset['tone'] = STATUS[job.status].tone;
  status.replaceChildren(sign(STATUS[job.status].sign), job.status);
  const { step, steps, share, text } = progressOf(job);
  const progress = byId('job-progress');
  progress.setAttribute('aria-label', job.kind === 'train' ? 'Committed rounds' : 'Parts that are done');
  progress.setAttribute('aria-valuemax', String(steps || 1));
  progress.setAttribute('aria-valuenow', String(step));
  progress.setAttribute('aria-valuetext', text);
  find(progress, 'div').style.width = `${share * 100}%`;
  drawTiles();
}

/** Why the job came to nothing, and what it went without; or why what is shown may not be how it stands. */
function drawNotice() {
  const { job, jobFault, following } = known;
  const isSaid = jobFault === null || faults.jobs !== null;
  const unread = isSaid ? undefined : `${following} cannot be read: ${jobFault}. Trying again.`;
  const said = job === null ? [] : [reasonOf(job), lostOf(job)].filter((text) => text !== undefined);
  const text = unread ?? (said.length === 0 ? undefined : said.join('. '));
  const notice = byId('job-reason');
  notice.hidden = text === undefined;
  if (notice.textContent !== (text ?? '')) notice.textContent = text ?? '';
}

function drawTiles() {
  if (known.job === null) return;
  const tiles = tilesOf(known.job, (performance.now() - known.jobAt) / 1000);
  byId('job-tiles').replaceChildren(
    ...tiles.map(([name, figure, unit]) =>
      h('div', {}, h('dt', {}, name), h('dd', {}, figure, unit && ' ', h('small', {}, unit))),
    ),
  );
}

export function startJobPanel() {
  on(['job'], draw);
  on(['following', 'faults'], drawNotice);
  setInterval(() => document.hidden || known.job?.result !== null || drawTiles(), 1000);
}
