/** The system's nodes and links, and two layouts of them, as tables. */

/** @import { Diagram, LinkName, NodeName } from './types.ts' */

/** @type {Readonly<Record<NodeName, { name: string, sub: string, tone: string }>>} */
export const NODES = {
  client: { name: 'Clients', sub: 'Open Inference Protocol', tone: 'both' },
  router: { name: 'Router', sub: 'Worker', tone: 'both' },
  edge: { name: 'Inference Worker', sub: 'ONNX Runtime WASM', tone: 'edge' },
  cloud: { name: 'Cloud inference', sub: 'Lambda, ONNX Runtime', tone: 'cloud' },
  jobs: { name: 'Jobs API', sub: 'Lambda', tone: 'train' },
  queue: { name: 'Task queue', sub: 'SQS', tone: 'train' },
  fleet: { name: 'Fleet', sub: 'Lambda: shards, merges', tone: 'train' },
  bucket: { name: 'Bucket', sub: 'R2 or S3', tone: 'train' },
};

/** @type {Readonly<Record<LinkName, string>>} */
export const LINK_TONES = {
  request: 'both',
  edge: 'edge',
  cloud: 'cloud',
  submit: 'train',
  task: 'train',
  work: 'train',
  result: 'train',
  'edge-model': 'edge',
  'cloud-model': 'cloud',
};

/** @type {Diagram} */
// prettier-ignore
export const WIDE = {
  size: [1200, 366],
  regions: { 'Edge · Workers': [198, 8, 640, 132], 'Cloud · functions': [396, 150, 628, 210] },
  nodes: {
    client: [0, 46, 148, 72], router: [214, 46, 168, 72], edge: [590, 46, 232, 72], cloud: [590, 166, 232, 72],
    jobs: [412, 274, 158, 72], queue: [636, 274, 138, 72], fleet: [840, 274, 170, 72], bucket: [1062, 40, 138, 204],
  },
  links: {
    request: ['M148 82H210', 179, 74],
    edge: ['M382 82H586', 484, 74],
    cloud: ['M340 118V192Q340 202 350 202H586', 484, 194],
    submit: ['M270 118V300Q270 310 280 310H408', 334, 302],
    task: ['M570 310H632', 601, 302],
    work: ['M774 310H836', 805, 302],
    result: ['M1010 310H1121Q1131 310 1131 300V248', 1074, 302],
    'edge-model': ['M1062 82H826', 944, 74],
    'cloud-model': ['M1062 202H826', 944, 194],
  },
};

/** @type {Diagram} */
// prettier-ignore
export const TALL = {
  size: [380, 660],
  regions: {},
  nodes: {
    client: [110, 4, 160, 56], router: [100, 106, 180, 62], edge: [0, 240, 120, 98], cloud: [130, 240, 120, 98],
    jobs: [260, 240, 120, 98], queue: [260, 376, 120, 76], fleet: [260, 488, 120, 76], bucket: [0, 600, 380, 60],
  },
  links: {
    request: ['M190 60V102', 198, 86, 'start'],
    edge: ['M140 168V192Q140 202 130 202H70Q60 202 60 212V236', 68, 226, 'start'],
    cloud: ['M190 168V236', 198, 226, 'start'],
    submit: ['M240 168V192Q240 202 250 202H310Q320 202 320 212V236', 328, 226, 'start'],
    task: ['M320 338V372', 328, 360, 'start'],
    work: ['M320 452V484', 328, 472, 'start'],
    result: ['M320 564V596', 328, 584, 'start'],
    'edge-model': ['M60 600V342', 68, 472, 'start'],
    'cloud-model': ['M190 600V342', 198, 472, 'start'],
  },
};
