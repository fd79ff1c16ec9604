/** What the dashboard's modules hand each other. Types only: it is not served. */
import type { JobList, JobView, TrainView } from '../../../core/contracts/job.ts';
import type { ModelList, Release } from '../../../core/contracts/release.ts';
import type { RoutingView, TargetView } from '../../../core/contracts/routing.ts';
import type {
  JobTimeline,
  Ran,
  TimelinePart,
  TimelineRound,
  TimelineShard,
  TrainTimeline,
} from '../../../core/contracts/timeline.ts';

export type {
  JobTimeline,
  JobView,
  Ran,
  Release,
  RoutingView,
  TargetView,
  TimelinePart,
  TimelineRound,
  TimelineShard,
  TrainTimeline,
  TrainView,
};

// ---- What is known (state.js)

/** As the list has it: without its history. */
export type ListedJob = JobList['jobs'][number];
/** Split and merged: batch inference, evaluation, map. */
export type FanOut = Exclude<ListedJob, { kind: 'train' }>;
export type Model = ModelList['models'][number];
export type Place = 'edge' | 'cloud';
export type Routing = RoutingView & { readonly places: Readonly<Record<Place, TargetView>> };

/** What is read on its own, and fails on its own. */
export type Part = 'routing' | 'jobs' | 'models';
export type Topic = Part | 'job' | 'following' | 'faults' | 'refresh';
/** Why a part cannot be read now: see Refusal in api.js. */
export type Faults = Record<
  Part,
  { readonly status: number; readonly message: string; readonly token: number } | null
>;

export interface Known {
  routing: Routing | null;
  readings: readonly Reading[];
  /** Newest first. */
  jobs: readonly ListedJob[];
  /** The one that is shown, and when it was told, in milliseconds, monotonic. */
  job: JobView | null;
  jobAt: number;
  /** Its id, known before the job itself is; and why it cannot be read now. */
  following: string | undefined;
  jobFault: string | null;
  models: readonly Model[];
  /** Of each model, newest first. */
  releases: Map<string, readonly Release[]>;
  /** At least once. */
  isRead: Record<'jobs' | 'models', boolean>;
}

/** Counters of requests since the isolate began. */
export interface Reading {
  /** Seconds, monotonic. */
  readonly at: number;
  readonly edge: number;
  readonly cloud: number;
  /** Nothing before it counts: another isolate's smaller counters, or a gap. */
  readonly isNew: boolean;
}

/** A figure of a job. */
export type Tile = readonly [name: string, figure: string, unit: string];

// ---- The system as a diagram (topology.js)

export type NodeName = 'client' | 'router' | 'edge' | 'cloud' | 'jobs' | 'queue' | 'fleet' | 'bucket';
export type LinkName =
  'request' | 'edge' | 'cloud' | 'submit' | 'task' | 'work' | 'result' | 'edge-model' | 'cloud-model';
export type Box = readonly [x: number, y: number, width: number, height: number];
/** With where its text is. */
export type Link = readonly [path: string, x: number, y: number, anchor?: 'start' | 'middle'];
export interface Diagram {
  readonly size: readonly [number, number];
  readonly regions: Readonly<Record<string, Box>>;
  readonly nodes: Readonly<Record<NodeName, Box>>;
  readonly links: Readonly<Record<LinkName, Link>>;
}

/** '': idle; off: not there. */
export type State = '' | 'live' | 'off' | 'bad';
export type NodeCondition = readonly [state: State, words: readonly string[]];
export type LinkCondition = readonly [state: State, words: string, rate?: number];

// ---- Line charts (line-chart.js)

export interface Axis {
  readonly name: string;
  readonly range: readonly [number, number];
  /** Of the ticks. */
  readonly format: (value: number) => string;
  /** Of a single value. */
  readonly exact: (value: number) => string;
}
/** A null is a gap. */
export type Point = readonly [x: number, y: number | null];
export interface Series {
  readonly name: string;
  readonly tone: string;
  /** By x, ascending. */
  readonly points: readonly Point[];
}
export interface ChartData {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** A line across, its name above or below it. */
  readonly rule?: { readonly y: number; readonly name: string; readonly isBelow: boolean } | undefined;
  /** Said while no value is pointed at. */
  readonly latest: string | undefined;
  /** Said where there is no point. */
  readonly empty: string;
  /** For those who do not see the curves. */
  readonly summary: string;
  /** Marks the newest points only. */
  readonly isPlain?: boolean;
}

// ---- The timeline of a job (timeline.js). Times are Unix seconds.

/** A row of the chart, and which of its lanes. */
export interface Spot {
  readonly row: number;
  readonly lane: number;
}
/** A row of the table. */
export type Cells = readonly [
  name: string,
  state: string,
  began: string | null,
  took: string,
  where: string,
  notes: string,
];
interface Stretch extends Spot {
  readonly from: number;
  readonly to: number;
}
/** A wait before an execution, or the link between two. */
export interface Bare extends Stretch {
  readonly kind: 'wait' | 'link';
}
/** What can be pointed at, and is in the table. `late`: refused; `wait`: done, nobody knows when. */
export interface Told extends Stretch {
  readonly kind: 'bar' | 'late' | 'wait' | 'open' | 'gone' | 'commit';
  readonly tone?: string;
  readonly pattern?: 'copy' | 'again';
  /** Where there is room in the bar. */
  readonly label?: string;
  readonly words: string;
  readonly cells: Cells;
}
export type Item = Bare | Told;
