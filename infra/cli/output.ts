/** Results for people, or with --json for programs: one JSON value on standard output and nothing else. */
import type { Metrics } from '../../core/contracts/primitives.ts';

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const numeric = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return numeric[column] === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return cells.map(line).join('\n');
}

/** The metric to show first, as text: `accuracy 97.73 %`, `perplexity 12.31`. */
export function headline(metrics: Metrics): string | undefined {
  const [name] = Object.keys(metrics);
  return name === undefined ? undefined : `${name} ${metricValue(name, metrics[name] ?? NaN)}`;
}
/** Accuracies as percentages, others with 4 significant digits. */
export const metricValue = (name: string, value: number) =>
  name === 'accuracy' ? percent(value) : String(Number(value.toPrecision(4)));

export const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
export const count = (n: number) => Math.round(n).toLocaleString('en-US').replaceAll(',', ' ');
/** 3 significant digits, in units of 10⁶ bytes. */
export const megabytes = (bytes: number) => `${Number((bytes / 1e6).toPrecision(3))} MB`;
/** In the largest unit of which there is one, rounded first: what rounds to 60 s is a minute. */
export function duration(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  if (ms < 1000) return `${ms} ms`;
  const tenths = Math.round(seconds * 10);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
