/** The router's targets, and its last decisions. */
import { byId, h, pill, time } from './dom.js';
import { clock, count, ms } from './format.js';
import { lateness, placeOf, targetsToShow, titleOf } from './places.js';
import { key } from './routing-panel.js';
import { known, on } from './state.js';
import { fillTable } from './table.js';
/** @import { RoutingView, TargetView } from './types.ts' */

/** @param {TargetView} view */
function stateOf({ configured, state }) {
  if (!configured) return pill('', '–', 'not configured');
  return state === 'healthy' ? pill('train', '✓', 'healthy') : pill('bad', '✕', 'ejected');
}

/** @param {number | undefined} late milliseconds */
function signed(late) {
  if (late === undefined) return '–';
  return late === 0 ? '0 ms' : `${late < 0 ? '−' : '+'}${ms(Math.abs(late))}`;
}

/** @param {RoutingView} routing */
function drawTargets(routing) {
  fillTable(
    byId('targets'),
    [
      ['Target', ({ name }) => key(placeOf(name), titleOf(name))],
      ['State', ({ view }) => stateOf(view)],
      ['Requests', ({ view }) => count(view.requests), 'number'],
      ['Errors', ({ view }) => count(view.errors), 'number'],
      ['In flight', ({ view }) => count(view.inFlight), 'number'],
      ['Recent mean', ({ view }) => ms(view.ewmaMs), 'number'],
      ['Off by', ({ name }) => signed(lateness(routing, name)), 'number'],
      ['p50', ({ view }) => ms(view.p50Ms), 'number'],
      ['p95', ({ view }) => ms(view.p95Ms), 'number'],
      ['p99', ({ view }) => ms(view.p99Ms), 'number'],
    ],
    targetsToShow(routing),
  );
}

/** @param {RoutingView} routing */
function drawDecisions({ recent }) {
  fillTable(
    byId('decisions'),
    [
      ['At', (row) => time(row.at, clock(row.at))],
      ['Target', (row) => key(placeOf(row.target), titleOf(row.target))],
      ['Reason', (row) => h('code', {}, row.reason)],
      ['Model', (row) => row.model, 'roomy'],
      ['Expected', (row) => ms(row.predictedMs), 'number roomy'],
      ['Took', (row) => ms(row.actualMs), 'number'],
      [
        'Status',
        (row) => (row.status < 400 ? String(row.status) : h('strong', {}, `✕ ${row.status}`)),
        'number',
      ],
    ],
    recent,
  );
}

export function startRoutingTables() {
  let shown = '';
  on(['routing'], () => {
    if (known.routing === null) return;
    drawTargets(known.routing);
    // Drawn anew only where there is something new: a reader may be in the middle of it.
    const version = JSON.stringify(known.routing.recent);
    if (version === shown) return;
    shown = version;
    drawDecisions(known.routing);
  });
}
