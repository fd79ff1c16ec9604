/** The dashboard's files, as text in the bundle: wrangler's Text rule in wrangler.toml. */
import page from './dashboard/index.html';
import baseStyle from './dashboard/base.css';
import chartStyle from './dashboard/chart.css';
import jobsStyle from './dashboard/jobs.css';
import partsStyle from './dashboard/parts.css';
import tablesStyle from './dashboard/tables.css';
import timelineStyle from './dashboard/timeline.css';
import topologyStyle from './dashboard/topology.css';
import icon from './dashboard/icon.svg';
import api from './dashboard/api.js';
import condition from './dashboard/condition.js';
import dom from './dashboard/dom.js';
import events from './dashboard/events.js';
import faults from './dashboard/faults.js';
import format from './dashboard/format.js';
import jobCharts from './dashboard/job-charts.js';
import jobList from './dashboard/job-list.js';
import jobPanel from './dashboard/job-panel.js';
import jobWords from './dashboard/job-words.js';
import jobs from './dashboard/jobs.js';
import latencyChart from './dashboard/latency-chart.js';
import lineChart from './dashboard/line-chart.js';
import main from './dashboard/main.js';
import models from './dashboard/models.js';
import places from './dashboard/places.js';
import rates from './dashboard/rates.js';
import releasesPanel from './dashboard/releases-panel.js';
import repeat from './dashboard/repeat.js';
import routingPanel from './dashboard/routing-panel.js';
import routingTables from './dashboard/routing-tables.js';
import routing from './dashboard/routing.js';
import state from './dashboard/state.js';
import table from './dashboard/table.js';
import ticks from './dashboard/ticks.js';
import timelineChart from './dashboard/timeline-chart.js';
import timelineItems from './dashboard/timeline-items.js';
import timelineLayout from './dashboard/timeline-layout.js';
import timelineMarks from './dashboard/timeline-marks.js';
import timeline from './dashboard/timeline.js';
import topologyLayout from './dashboard/topology-layout.js';
import topology from './dashboard/topology.js';
import type { DashboardFiles } from './dashboard.ts';

export const DASHBOARD: DashboardFiles = {
  'index.html': page,
  'base.css': baseStyle,
  'chart.css': chartStyle,
  'jobs.css': jobsStyle,
  'parts.css': partsStyle,
  'tables.css': tablesStyle,
  'timeline.css': timelineStyle,
  'topology.css': topologyStyle,
  'icon.svg': icon,
  'api.js': api,
  'condition.js': condition,
  'dom.js': dom,
  'events.js': events,
  'faults.js': faults,
  'format.js': format,
  'job-charts.js': jobCharts,
  'job-list.js': jobList,
  'job-panel.js': jobPanel,
  'job-words.js': jobWords,
  'jobs.js': jobs,
  'latency-chart.js': latencyChart,
  'line-chart.js': lineChart,
  'main.js': main,
  'models.js': models,
  'places.js': places,
  'rates.js': rates,
  'releases-panel.js': releasesPanel,
  'repeat.js': repeat,
  'routing-panel.js': routingPanel,
  'routing-tables.js': routingTables,
  'routing.js': routing,
  'state.js': state,
  'table.js': table,
  'ticks.js': ticks,
  'timeline-chart.js': timelineChart,
  'timeline-items.js': timelineItems,
  'timeline-layout.js': timelineLayout,
  'timeline-marks.js': timelineMarks,
  'timeline.js': timeline,
  'topology-layout.js': topologyLayout,
  'topology.js': topology,
};
