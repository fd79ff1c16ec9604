/** The Server-Timing header (w3.org/TR/server-timing): where the time of a request went. */

export interface Timing {
  /** A token: letters, digits and `-`. */
  readonly name: string;
  /** Milliseconds. */
  readonly ms: number;
  readonly description?: string;
}

/** Microseconds are kept where the clock has them. */
const milliseconds = (ms: number) => Math.round(Math.max(0, ms) * 1000) / 1000;

export function serverTiming(timings: readonly Timing[]): string {
  let header = '';
  for (const { name, ms, description } of timings) {
    if (header !== '') header += ', ';
    header += `${name};dur=${milliseconds(ms)}`;
    if (description !== undefined) header += `;desc="${description.replaceAll(/["\\]/g, '')}"`;
  }
  return header;
}
