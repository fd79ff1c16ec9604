/** A small registry for the Prometheus text exposition format, version 0.0.4. */

export type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  lines(name: string): Iterable<string>;
}

export interface Counter {
  add(labels: Labels, amount?: number): void;
}
export interface Histogram {
  observe(labels: Labels, value: number): void;
}

export interface Registry {
  counter(name: string, help: string): Counter;
  /** @param read called at each scrape */
  gauge(name: string, help: string, read: () => readonly (readonly [Labels, number])[]): void;
  /** @param bounds upper bounds, ascending; +Inf is added */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  text(): string;
}

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const escape = (value: string) =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

export function createRegistry(): Registry {
  const families = new Map<string, Family>();
  return {
    counter(name, help) {
      const values = new Map<string, number>();
      families.set(name, {
        help,
        type: 'counter',
        *lines(name) {
          for (const [labels, value] of values) yield `${name}${labels} ${value}`;
        },
      });
      return {
        add(labels, amount = 1) {
          const key = labelText(labels);
          values.set(key, (values.get(key) ?? 0) + amount);
        },
      };
    },
    gauge(name, help, read) {
      families.set(name, {
        help,
        type: 'gauge',
        *lines(name) {
          for (const [labels, value] of read()) yield `${name}${labelText(labels)} ${value}`;
        },
      });
    },
    histogram(name, help, bounds) {
      const series = new Map<string, { labels: Labels; counts: number[]; sum: number; total: number }>();
      families.set(name, {
        help,
        type: 'histogram',
        *lines(name) {
          for (const { labels, counts, sum, total } of series.values()) {
            let below = 0;
            for (const [i, bound] of bounds.entries()) {
              below += counts[i] ?? 0;
              yield `${name}_bucket${labelText({ ...labels, le: String(bound) })} ${below}`;
            }
            yield `${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${total}`;
            yield `${name}_sum${labelText(labels)} ${sum}`;
            yield `${name}_count${labelText(labels)} ${total}`;
          }
        },
      });
      return {
        observe(labels, value) {
          const key = labelText(labels);
          let entry = series.get(key);
          if (entry === undefined) {
            entry = { labels, counts: bounds.map(() => 0), sum: 0, total: 0 };
            series.set(key, entry);
          }
          const bucket = bounds.findIndex((bound) => value <= bound);
          if (bucket >= 0) entry.counts[bucket] = (entry.counts[bucket] ?? 0) + 1;
          entry.sum += value;
          entry.total += 1;
        },
      };
    },
    text() {
      let text = '';
      for (const [name, family] of families) {
        text += `# HELP ${name} ${family.help}\n# TYPE ${name} ${family.type}\n`;
        for (const line of family.lines(name)) text += `${line}\n`;
      }
      return text;
    },
  };
}
