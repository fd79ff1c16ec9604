/** What executions took, as it goes with what they wrote. */
import { type Execution, MAX_EXECUTIONS, TaskMeter } from '../contracts/usage.ts';
import { addUsage } from '../costs/usage.ts';
import type { ObjectInfo } from '../storage/object-store.ts';

/** As {@link meterOf} reads it. */
export const meterMetadata = (meter: TaskMeter): Readonly<Record<string, string>> => ({
  meter: JSON.stringify(meter),
});

/** @returns undefined where whoever wrote the object did not say */
export function meterOf({ metadata }: Pick<ObjectInfo, 'metadata'>): TaskMeter | undefined {
  const text = metadata?.['meter'];
  return text === undefined ? undefined : TaskMeter.parse(JSON.parse(text));
}

/** What an execution does not know of itself. */
export interface Told {
  /** Deliveries of its message; undefined: one. */
  readonly attempt?: number | undefined;
  readonly copy?: number | undefined;
}

/** The meter after an execution that goes on with another's work. @param before undefined: it began anew */
export function goOn(before: TaskMeter | undefined, own: TaskMeter, { attempt = 1, copy }: Told): TaskMeter {
  const startedAt = before?.startedAt ?? own.startedAt;
  const later = (Date.parse(own.startedAt) - Date.parse(startedAt)) / 1000;
  const executions = (own.executions ?? []).map((execution) => ({
    ...execution,
    at: millisecond(Math.max(0, execution.at + later)),
    ...(copy === undefined ? {} : { copy }),
    ...(attempt > 1 ? { attempt } : {}),
  }));
  return {
    startedAt,
    usage: addUsage(...(before === undefined ? [] : [before.usage]), own.usage),
    ...(executions.length === 0
      ? {}
      : { executions: joined([...(before?.executions ?? []), ...executions]) }),
  };
}

/** As short as the clock is exact: metadata has little room. */
const millisecond = (seconds: number) => Math.round(seconds * 1000) / 1000;

/** The earliest as one, so that the rest fits. */
function joined(all: readonly Execution[]): Execution[] {
  if (all.length <= MAX_EXECUTIONS) return [...all];
  const early = all.slice(0, all.length - MAX_EXECUTIONS + 1);
  const { at } = early[0]!;
  const last = early.at(-1)!;
  return [
    { ...last, at, seconds: millisecond(last.at + last.seconds - at) },
    ...all.slice(all.length - MAX_EXECUTIONS + 1),
  ];
}
