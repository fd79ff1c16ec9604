/** Every model's releases, newest first: what each measured, weighs and came from. */
import { byId, h, pill, time } from './dom.js';
import { ago, bytes, figure, headline, significant } from './format.js';
import { known, on } from './state.js';
import { fillTable } from './table.js';
/** @import { Model, Release } from './types.ts' */

/**
 * @param {string} metric
 * @param {Release} release
 * @param {Release | undefined} before
 */
function measured(metric, { metrics }, before) {
  const value = metrics[metric];
  if (value === undefined) return '–';
  const past = before?.metrics[metric];
  if (past === undefined) return figure(metric, value);
  const isShare = metric === 'accuracy';
  const change = (value - past) * (isShare ? 100 : 1);
  const size = isShare ? Math.abs(change).toFixed(2) : significant(Math.abs(change));
  const title = `${isShare ? 'percentage points' : 'difference'} against the release before`;
  return [figure(metric, value), h('span', { class: 'hint', title }, ` ${change >= 0 ? '+' : '−'}${size}`)];
}

/** @param {Release} release */
function sizeOf({ variants: { fp32, int8 } }) {
  return int8 === undefined ? bytes(fp32.bytes) : `${bytes(fp32.bytes)}, int8 ${bytes(int8.bytes)}`;
}

/** @param {Release} release */
const lineageOf = ({ lineage: { dataset, job, graph } }) => [
  `${dataset.name} v${dataset.version} → `,
  h('a', { href: `#${job}` }, job),
  h('span', { class: 'hint', title: `started from graph ${graph}` }, ` from ${graph.slice(0, 8)}`),
];

/** @param {Release} release */
function signatureOf({ signature: { inputs, outputs } }) {
  /** @param {typeof inputs} tensors */
  const words = (tensors) =>
    tensors.map((tensor) => `${tensor.dtype} [${tensor.shape.join(', ')}]`).join(', ');
  return h('span', { class: 'hint' }, `${words(inputs)} → ${words(outputs)}`);
}

/** @param {Model} model */
function modelTable({ name, channels }) {
  const releases = known.releases.get(name) ?? [];
  const metric = headline(releases[0]?.metrics)?.name;
  /** @param {Release} row */
  const channelsOf = (row) => Object.keys(channels).filter((channel) => channels[channel] === row.release);
  const table = h('table', { class: 'cards' });
  fillTable(
    table,
    [
      ['Release', (row) => String(row.release)],
      ['Channel', (row) => channelsOf(row).map((channel) => pill('train', '●', channel))],
      [
        `Test ${metric ?? 'figure'}`,
        (row) => measured(metric ?? '', row, releases[releases.indexOf(row) + 1]),
        'number',
      ],
      ['Size', sizeOf, 'number'],
      ['Lineage', lineageOf, 'wide'],
      ['Signature', signatureOf, 'wide'],
      ['Released', (row) => time(row.createdAt, ago(row.createdAt, Date.now()))],
    ],
    releases,
  );
  const label = `Releases of ${name}`;
  return h(
    'div',
    { class: 'model' },
    h('h3', {}, name),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label }, table),
  );
}

export function startReleasesPanel() {
  let shown = '';
  on(['models'], () => {
    // Drawn anew only where there is something new: a reader may be in the middle of it.
    const version = JSON.stringify(known.models);
    if (version === shown) return;
    shown = version;
    byId('models').replaceChildren(...known.models.map(modelTable));
  });
}
