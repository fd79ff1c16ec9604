/** How requests were split between edge and cloud, now and over the last minutes. */
import { byId, find, h, sign } from './dom.js';
import { count, perSecond, percent, short, significant } from './format.js';
import { createLineChart } from './line-chart.js';
import { PLACES, PLACE_NAMES } from './places.js';
import { WINDOW_S, rateAt } from './rates.js';
import { known, on } from './state.js';
/** @import { ChartData, Place, Routing } from './types.ts' */

/** @param {Place} place @param {string} text */
export const key = (place, text) =>
  h('span', { class: 'key', 'data-tone': place }, sign(PLACES[place].sign), text);

/** @param {Routing} routing */
function drawSplit({ places }) {
  const total = places.edge.requests + places.cloud.requests;
  const share = { edge: places.edge.requests / total, cloud: places.cloud.requests / total };
  const split = byId('split');
  for (const name of PLACE_NAMES) find(split, `.${name}`).style.width = `${share[name] * 100}%`;
  split.setAttribute(
    'aria-label',
    `Edge ${percent(share.edge)}, cloud ${percent(share.cloud)} of ${count(total)} requests`,
  );
  byId('ends').replaceChildren(
    ...PLACE_NAMES.map((name) =>
      key(name, `${PLACES[name].name} ${percent(share[name])} (${short(places[name].requests)})`),
    ),
  );
}

/** @returns {ChartData} */
function ratesNow() {
  const { readings } = known;
  const now = readings.at(-1)?.at ?? 0;
  const series = PLACE_NAMES.map((name) => ({
    name: PLACES[name].name.toLowerCase(),
    tone: name,
    points: readings.map(
      (each, i) => /** @type {const} */ ([each.at - now, each.isNew ? null : rateAt(readings, name, i)]),
    ),
  }));
  // Half a minute wide at first, so that the first readings are seen; then as much as is kept.
  const oldest = Math.ceil((now - (readings[0]?.at ?? now)) / 30) * 30;
  const top = Math.max(1, ...series.flatMap(({ points }) => points.map(([, y]) => y ?? 0)));
  const latest = `edge ${perSecond(rateAt(readings, 'edge'))}, cloud ${perSecond(rateAt(readings, 'cloud'))}`;
  return {
    title: 'Requests',
    x: {
      name: 'seconds ago',
      range: [-Math.min(WINDOW_S, Math.max(30, oldest)), 0],
      format: (x) => count(Math.abs(x)),
      exact: (x) => `${count(-x)} s ago`,
    },
    y: { name: 'requests/s', range: [0, top * 1.12], format: significant, exact: perSecond },
    series,
    isPlain: true,
    latest,
    empty: 'waiting for a second reading',
    summary: `Now ${latest}; the last three minutes.`,
  };
}

export function startRoutingPanel() {
  const drawRates = createLineChart(byId('rate-chart'));
  on(['routing'], () => {
    const { routing } = known;
    if (routing === null) return;
    const isUsed = routing.places.edge.requests + routing.places.cloud.requests > 0;
    byId('routed').hidden = !isUsed;
    if (!isUsed) return;
    drawSplit(routing);
    drawRates(ratesNow());
  });
}
