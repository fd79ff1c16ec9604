/** The list of jobs. Entries stay in place while they are there: what has the focus keeps it. */
import { byId, h, sign } from './dom.js';
import { ago } from './format.js';
import { STATUS, outcome } from './job-words.js';
import { isListed, known, on } from './state.js';

/**
 * @typedef {object} Entry
 * @property {HTMLElement} item
 * @property {HTMLElement} link
 * @property {HTMLElement} name
 * @property {HTMLElement} status
 * @property {HTMLElement} hint
 */
/** @type {Map<string, Entry>} */
const entries = new Map();

/** @param {string} job @returns {Entry} */
function createEntry(job) {
  const [name, status, hint] = [h('strong'), h('span', { class: 'pill' }), h('span', { class: 'hint' })];
  const link = h('a', { href: `#${job}` }, name, status, hint);
  const entry = { item: h('li', {}, link), link, name, status, hint };
  entries.set(job, entry);
  return entry;
}

function draw() {
  byId('jobs').hidden = known.jobs.length === 0 && known.job === null;
  for (const [id, entry] of entries) {
    if (isListed(id)) continue;
    entry.item.remove();
    entries.delete(id);
  }
  const list = byId('job-list');
  known.jobs.forEach((job, index) => {
    const { item, link, name, status, hint } = entries.get(job.job) ?? createEntry(job.job);
    // Moved only where it has to be: moving an element takes the focus off it.
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    name.textContent = job.model;
    status.dataset['tone'] = STATUS[job.status].tone;
    status.replaceChildren(sign(STATUS[job.status].sign), job.status);
    hint.textContent = `${outcome(job)} · ${ago(job.acceptedAt, Date.now())}`;
    if (job.job === known.following) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  });
}

export function startJobList() {
  on(['jobs', 'job', 'following'], draw);
}
