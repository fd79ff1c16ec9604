/** The timeline of a job of any kind. */
import type { JobTimeline, TimelineQuery } from '../contracts/timeline.ts';
import type { JobMemory } from '../jobs/look.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { fanOutTimeline } from './parts.ts';
import { trainTimeline } from './training.ts';

/** @returns undefined where there is no such job any more */
export function timelineOf(
  store: ObjectStore,
  job: string,
  now: Date,
  memory: JobMemory,
  query: TimelineQuery,
): Promise<JobTimeline | undefined> {
  return memory.kind === 'train'
    ? trainTimeline(store, job, now, memory.history, query)
    : fanOutTimeline(store, memory.accepted, now, memory.history, query);
}
