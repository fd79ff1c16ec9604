/** Starts the page: what draws first, then what reads. */
import { asRefusal } from './api.js';
import { byId } from './dom.js';
import { startFaults } from './faults.js';
import { startJobCharts } from './job-charts.js';
import { startJobList } from './job-list.js';
import { startJobPanel } from './job-panel.js';
import { chosen, follow, lookAtJobs } from './jobs.js';
import { startLatencyChart } from './latency-chart.js';
import { lookAtModels } from './models.js';
import { startReleasesPanel } from './releases-panel.js';
import { repeat } from './repeat.js';
import { lookAtRouting } from './routing.js';
import { startRoutingPanel } from './routing-panel.js';
import { startRoutingTables } from './routing-tables.js';
import { faults, on, tell } from './state.js';
import { startTimeline } from './timeline.js';
import { startTopology } from './topology.js';
/** @import { Part } from './types.ts' */

startTopology();
startJobList();
startJobPanel();
startJobCharts();
startTimeline();
startRoutingPanel();
startLatencyChart();
startRoutingTables();
startReleasesPanel();
startFaults();

/** @param {Part} part @param {number} everyMs @param {() => Promise<void>} look */
const reading = (part, everyMs, look) =>
  repeat(everyMs, look, (thrown) => {
    faults[part] = thrown === null ? null : asRefusal(thrown);
    tell('faults');
  });
const refreshes = [
  reading('routing', 1_500, lookAtRouting),
  reading('jobs', 2_000, lookAtJobs),
  reading('models', 4_000, lookAtModels),
];
on(['refresh'], () => {
  for (const refresh of refreshes) void refresh();
});

addEventListener('hashchange', () => {
  const job = chosen();
  if (job === undefined) return;
  follow(job);
  const { top } = byId('training').getBoundingClientRect();
  if (top < 0 || top > innerHeight) byId('training').scrollIntoView();
});
