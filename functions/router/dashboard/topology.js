/** The system as a diagram, wide or tall as there is room: what there is, and what moves. */
import { conditionOf } from './condition.js';
import { byId, narrow, s } from './dom.js';
import { faults, known, on } from './state.js';
import { LINK_TONES, NODES, TALL, WIDE } from './topology-layout.js';
/** @import { Box, Link, LinkName, NodeName } from './types.ts' */

/** Of the tall layout: one line of facts, and no room for what they run on. */
const FLAT = ['client', 'router', 'bucket'];

/** @type {Map<NodeName, { group: SVGGElement, facts: SVGTextElement[] }>} */
const nodes = new Map();
/** @type {Map<LinkName, { group: SVGGElement, path: SVGPathElement, text: SVGTextElement }>} */
const links = new Map();

/** @template {string} K @template V @param {Readonly<Record<K, V>>} record */
const entriesOf = (record) => /** @type {[K, V][]} */ (Object.entries(record));

const arrowheads = () =>
  ['idle', 'both', 'edge', 'cloud', 'train'].map((tone) =>
    s(
      'marker',
      {
        id: `tip-${tone}`,
        class: tone,
        viewBox: '0 0 8 8',
        refX: 6,
        refY: 4,
        markerWidth: 8,
        markerHeight: 8,
        markerUnits: 'userSpaceOnUse',
        orient: 'auto',
      },
      s('path', { d: 'M0 0L8 4L0 8Z' }),
    ),
  );

/** @param {LinkName} name @param {Link} link */
function createLink(name, [d, x, y, anchor = 'middle']) {
  const path = s('path', { d });
  const text = s('text', { x, y, 'text-anchor': anchor });
  const group = s('g', {}, path, text);
  links.set(name, { group, path, text });
  return group;
}

/** @param {NodeName} name @param {Box} box @param {boolean} isTall */
function createNode(name, [x, y, width, height], isTall) {
  const isBucket = name === 'bucket';
  const isFlat = isTall && FLAT.includes(name);
  const top = !isBucket ? 0 : isTall ? 12 : 60;
  /** @param {number} at @param {string} kind @param {string} words */
  const label = (at, kind, words) =>
    s('text', { class: kind, x: x + width / 2, y: y + at, 'text-anchor': 'middle' }, words);
  const { name: title, sub } = NODES[name];
  const brief = sub.split(/[,:]/)[0]?.replace('ONNX Runtime', 'ORT') ?? '';
  const first = !isFlat ? top + 60 : isBucket ? top + 36 : 41;
  const facts = [label(first, 'fact', ''), label(first + 17, 'fact', '')];
  const [r, rim] = [width / 2, 10];
  const drum = `M${x} ${y + rim}a${r} ${rim} 0 0 1 ${width} 0v${height - 2 * rim}a${r} ${rim} 0 0 1 ${-width} 0zm0 0a${r} ${rim} 0 0 0 ${width} 0`;
  const group = s(
    'g',
    {},
    isBucket ? s('path', { d: drum }) : s('rect', { x, y, width, height, rx: 10 }),
    label(top + (isTall && isBucket ? 20 : 22), 'name', title),
    label(top + 39, 'sub', isFlat ? '' : isTall ? brief : sub),
    ...facts,
  );
  nodes.set(name, { group, facts });
  return group;
}

function layOut() {
  const svg = byId('topology');
  const isTall = narrow.matches;
  const layout = isTall ? TALL : WIDE;
  svg.setAttribute('viewBox', `0 0 ${layout.size.join(' ')}`);
  svg.setAttribute('class', isTall ? 'tall' : 'broad');
  svg.replaceChildren(
    s('defs', {}, ...arrowheads()),
    ...Object.entries(layout.regions).flatMap(([name, [x, y, width, height]]) => [
      s('rect', { class: 'region', x, y, width, height, rx: 14 }),
      s('text', { class: 'region-name', x: x + 16, y: y + 22 }, name),
    ]),
    ...entriesOf(layout.links).map(([name, link]) => createLink(name, link)),
    ...entriesOf(layout.nodes).map(([name, box]) => createNode(name, box, isTall)),
  );
  draw();
}

/** How quickly a link's dashes move, and how wide it is. @param {number} rate a second */
const paceOf = (rate) => (rate < 1 ? '1.6s' : rate < 10 ? '1s' : rate < 100 ? '0.6s' : '0.35s');
/** @param {number} rate */
const widthOf = (rate) => String(Math.min(5, 1.75 + Math.log10(1 + rate)));

function draw() {
  const condition = conditionOf(known, faults);
  const isTall = narrow.matches;
  for (const [name, { group, facts }] of nodes) {
    const [state, words] = condition.nodes[name];
    group.setAttribute('class', `node ${NODES[name].tone} ${state}`);
    // One fact a line where there is height for it.
    const hasLines = isTall ? !FLAT.includes(name) : name === 'bucket';
    const lines = hasLines ? words : [words.join(isTall ? ' ' : ' · ')];
    facts.forEach((fact, line) => (fact.textContent = lines[line] ?? ''));
  }
  for (const [name, { group, path, text }] of links) {
    const [state, words, rate = 0] = condition.links[name];
    group.setAttribute('class', `link ${LINK_TONES[name]} ${state}`);
    text.textContent = words;
    path.style.setProperty('--pace', paceOf(rate));
    path.style.strokeWidth = state === 'live' ? widthOf(rate) : '';
  }
  const spoken = entriesOf(condition.nodes).map(
    ([name, [, words]]) => `${NODES[name].name}: ${words.join(', ')}`,
  );
  byId('topology').setAttribute('aria-label', `How requests and jobs flow. ${spoken.join('; ')}.`);
}

export function startTopology() {
  narrow.addEventListener('change', layOut);
  layOut();
  on(['routing', 'jobs', 'job', 'models', 'faults'], draw);
}
