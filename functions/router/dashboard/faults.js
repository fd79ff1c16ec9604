/** Each part says what it lacks and what to do, and keeps what it last knew; what cannot be read is not called empty. */
import { useToken } from './api.js';
import { byId, h, say, sign } from './dom.js';
import { faults, known, on, tell } from './state.js';
/** @import { Child } from './dom.js' */
/** @import { Part } from './types.ts' */

/** @type {readonly Part[]} */
const PARTS = ['routing', 'jobs', 'models'];
/** @type {Readonly<Record<Part, string>>} */
const TITLES = { routing: 'Routing figures', jobs: 'Jobs', models: 'Releases' };

const CLOUD_HALF = () => [
  'Is the cloud half deployed, and does the router’s ',
  h('code', {}, 'JOBS_URL'),
  ' point to it?',
];
/** What to do, by the answer's status. @type {Readonly<Record<number, (token: number) => Child[]>>} */
const HELP = {
  0: () => ['Is it running? Start it with ', h('code', {}, 'npm start'), '.'],
  401: (token) => [
    token > 0 ? 'The access token was not accepted.' : 'This deployment asks for an access token.',
    tokenForm(),
  ],
  403: () => ['The access token may not read this.', tokenForm()],
  404: () => ['This router does not have it: its version may be older than this page.'],
  502: CLOUD_HALF,
  503: CLOUD_HALF,
  504: CLOUD_HALF,
};

function tokenForm() {
  const input = h('input', {
    type: 'password',
    'aria-label': 'Access token',
    autocomplete: 'off',
    required: true,
  });
  const form = h('form', { class: 'token' }, input, h('button', { type: 'submit' }, 'Use token'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    useToken(input.value);
    tell('refresh');
  });
  return form;
}

/** What each notice says: drawn anew only where that changes, a token may be half typed. @type {Record<Part, string>} */
const shown = { routing: '', jobs: '', models: '' };

function drawNotices() {
  const broken = PARTS.filter((part) => faults[part] !== null);
  // A router that answers nothing at all is said once, not three times.
  const messages = new Set(broken.map((part) => faults[part]?.message));
  const isAll = broken.length === PARTS.length && messages.size === 1;
  const isKnown = {
    routing: known.routing !== null,
    jobs: known.jobs.length > 0,
    models: known.models.length > 0,
  };
  for (const part of PARTS) {
    const fault = isAll && part !== broken[0] ? null : faults[part];
    const text = fault === null ? '' : `${fault.status} ${fault.message} ${fault.token} ${isAll}`;
    if (text === shown[part]) continue;
    shown[part] = text;
    const what = isAll ? 'Nothing can be read' : `${TITLES[part]} cannot be read`;
    const notice = byId(`${part}-notice`);
    const hadFocus = notice.contains(document.activeElement);
    notice.replaceChildren(
      ...(fault === null
        ? []
        : [
            h(
              'div',
              { class: 'notice' },
              `${what}: ${fault.message}. `,
              ...(HELP[fault.status]?.(fault.token) ?? []),
              isKnown[part] ? ' What is shown was known before.' : '',
            ),
          ]),
    );
    if (hadFocus) notice.querySelector('input')?.focus();
  }
}

/** @returns {readonly [icon: string, tone: string, text: string]} */
function linkState() {
  const statuses = PARTS.flatMap((part) => faults[part]?.status ?? []);
  if (statuses.includes(0)) return ['✕', 'bad', 'No answer, trying again'];
  if (statuses.includes(401)) return ['!', 'bad', 'Access token needed'];
  if (statuses.length > 0) return ['!', 'bad', 'Partly readable'];
  return known.routing === null ? ['○', '', 'Connecting'] : ['●', 'train', 'Live'];
}

function drawLinkState() {
  const [icon, tone, text] = linkState();
  const state = byId('link-state');
  const before = state.lastElementChild?.textContent;
  if (before === text) return;
  if (before !== 'Connecting') say(text);
  state.dataset['tone'] = tone;
  state.replaceChildren(sign(icon), h('span', {}, text));
}

function drawEmpty() {
  const { jobs, job, models, routing, isRead } = known;
  const routed = routing === null ? 0 : routing.places.edge.requests + routing.places.cloud.requests;
  byId('jobs-empty').hidden = !isRead.jobs || jobs.length > 0 || job !== null || faults.jobs !== null;
  byId('models-empty').hidden = !isRead.models || models.length > 0 || faults.models !== null;
  byId('routing-empty').hidden = routing === null || routed > 0 || faults.routing !== null;
}

export function startFaults() {
  on(['faults'], () => {
    drawNotices();
    drawLinkState();
    drawEmpty();
  });
}
