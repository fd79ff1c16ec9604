/**
 * A small registry of metrics and their Prometheus text format, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats).
 *
 * Values of labels must come from a small closed set: each combination is kept for ever.
 */
import { Fault } from '../errors.ts';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** One value per label name, in their order. */
export type LabelValues<Names extends readonly string[]> = { readonly [Name in keyof Names]: string };

export interface Counter<Names extends readonly string[]> {
  add(values: LabelValues<Names>, amount?: number): void;
}
export interface Histogram<Names extends readonly string[]> {
  observe(values: LabelValues<Names>, value: number): void;
}
export type Sample<Names extends readonly string[]> = readonly [LabelValues<Names>, number];
/** Called at each scrape. */
export type Read<Names extends readonly string[]> = () => Iterable<Sample<Names>>;

export interface Registry {
  counter<const Names extends readonly string[]>(name: string, help: string, labels: Names): Counter<Names>;
  /** A counter that is kept elsewhere. */
  counterOf<const Names extends readonly string[]>(
    name: string,
    help: string,
    labels: Names,
    read: Read<Names>,
  ): void;
  gaugeOf<const Names extends readonly string[]>(
    name: string,
    help: string,
    labels: Names,
    read: Read<Names>,
  ): void;
  /** @param bounds upper bounds of the buckets, ascending; +Inf is added */
  histogram<const Names extends readonly string[]>(
    name: string,
    help: string,
    labels: Names,
    bounds: readonly number[],
  ): Histogram<Names>;
  /** Everything, in the order of registration. */
  text(): string;
}

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeValue = (text: string) => escapeHelp(text).replaceAll('"', '\\"');

/** As the format spells numbers: Go's ParseFloat reads it. */
function number(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function sample(name: string, labels: readonly string[], values: readonly string[], value: number): string {
  const pairs = labels.map((label, i) => `${label}="${escapeValue(values[i] ?? '')}"`).join(',');
  return `${name}${pairs === '' ? '' : `{${pairs}}`} ${number(value)}\n`;
}

/** Label values as a key: they may hold any character but are unlikely to hold this one. */
const keyOf = (values: readonly string[]) => values.join('\u0000');

interface Buckets {
  readonly values: readonly string[];
  /** Per bucket, not cumulative; the last is above every bound. */
  readonly counts: Float64Array;
  sum: number;
}

function checkName(kind: string, name: string, allowed: RegExp): void {
  if (!allowed.test(name))
    throw new Fault(
      'invalid',
      `${kind}: ${JSON.stringify(name)} is no name, it must match ${allowed.source}`,
      {
        field: kind,
      },
    );
}

function checkBounds(bounds: readonly number[]): void {
  if (bounds.every((bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? -Infinity))) return;
  throw new Fault('invalid', `bounds: must be finite and ascending, not ${bounds.join(', ')}`, {
    field: 'bounds',
  });
}

export function createRegistry(): Registry {
  const families = new Map<string, () => string>();

  function register(
    type: 'counter' | 'gauge' | 'histogram',
    name: string,
    help: string,
    labels: readonly string[],
    samples: () => string,
  ): void {
    checkName('name', name, METRIC_NAME);
    for (const label of labels) checkName('label', label, LABEL_NAME);
    if (families.has(name))
      throw new Fault('conflict', `name: ${name} is registered already`, { field: 'name' });
    const head = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    families.set(name, () => head + samples());
  }

  function read<Names extends readonly string[]>(
    type: 'counter' | 'gauge',
    [name, help, labels, samples]: [string, string, Names, Read<Names>],
  ): void {
    register(type, name, help, labels, () => {
      let text = '';
      for (const [values, value] of samples()) text += sample(name, labels, values, value);
      return text;
    });
  }

  return {
    counter(name, help, labels) {
      const series = new Map<string, { readonly values: readonly string[]; count: number }>();
      read('counter', [
        name,
        help,
        labels,
        () => [...series.values()].map(({ values, count }) => [values as LabelValues<typeof labels>, count]),
      ]);
      return {
        add(values, amount = 1) {
          if (!(amount >= 0)) throw new Fault('invalid', `amount: ${amount}: a counter only goes up`);
          const key = keyOf(values);
          const entry = series.get(key);
          if (entry === undefined) series.set(key, { values, count: amount });
          else entry.count += amount;
        },
      };
    },
    counterOf: (...family) => read('counter', family),
    gaugeOf: (...family) => read('gauge', family),
    histogram(name, help, labels, bounds) {
      checkBounds(bounds);
      const series = new Map<string, Buckets>();
      const bucketLabels = [...labels, 'le'];
      register('histogram', name, help, labels, () => {
        let text = '';
        for (const { values, counts, sum } of series.values()) {
          let total = 0;
          for (const [i, count] of counts.entries()) {
            total += count;
            text += sample(`${name}_bucket`, bucketLabels, [...values, number(bounds[i] ?? Infinity)], total);
          }
          text += sample(`${name}_sum`, labels, values, sum);
          text += sample(`${name}_count`, labels, values, total);
        }
        return text;
      });
      return {
        observe(values, value) {
          if (Number.isNaN(value)) return;
          const key = keyOf(values);
          let entry = series.get(key);
          if (entry === undefined) {
            const counts = new Float64Array(bounds.length + 1);
            entry = { values, counts, sum: 0 };
            series.set(key, entry);
          }
          let bucket = 0;
          while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
          entry.counts[bucket] = entry.counts[bucket]! + 1;
          entry.sum += value;
        },
      };
    },
    text: () => [...families.values()].map((family) => family()).join(''),
  };
}
