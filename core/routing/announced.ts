/**
 * What a router isolate knows of a release before any target does: that a channel points to it now, and what it
 * excludes. Targets look at their channels every few seconds, each of their isolates by itself, so that answers may
 * speak of the release before, also after one spoke of this: its exclusions hold beside whatever is told of another.
 */
import type { Announcements } from '../contracts/sharing.ts';
import { SHARED_MODELS } from '../contracts/sharing.ts';
import type { TargetId } from './targets.ts';
import type { Defaults } from './told.ts';

/**
 * Milliseconds that it holds: the channel may have moved on since, through another isolate. Longer than a target serves
 * the release before (5 s, core/inference/catalog.ts), its failed looks included.
 */
export const HELD_MS = 30_000;

export interface Announced {
  readonly release: number;
  /** Empty: nothing. */
  readonly exclude: readonly TargetId[];
  /** When, milliseconds on this isolate's clock. */
  readonly at: number;
}

/** Both sets of exclusions. */
export function alsoExcluding(
  one: readonly TargetId[] | undefined,
  other: readonly TargetId[] | undefined,
): readonly TargetId[] | undefined {
  if (other === undefined || other.length === 0 || other === one) return one;
  return one === undefined ? other : [...new Set([...one, ...other])];
}

/** What holds when a target tells `told`. */
export const heldTo = (told: Defaults, announced: Announced | undefined): Defaults =>
  announced === undefined || announced.exclude.length === 0
    ? told
    : { ...told, exclude: alsoExcluding(told.exclude, announced.exclude) };

/** Whether what a target tells is of that release, or so much later that it must be of one after it. */
export const isPast = (
  { release, at }: Announced,
  told: { readonly release: string | null; readonly sentAt: number },
): boolean => told.release === String(release) || told.sentAt - at >= HELD_MS;

/** As it is told to other isolates, the newest of a bounded number of models. */
export function announcementsOf(all: Iterable<readonly [string, Announced]>, now: number): Announcements {
  const told = [...all]
    .map(([model, { at, release, exclude }]) => ({
      model,
      release,
      exclude: [...exclude],
      ageMs: Math.max(0, now - at),
    }))
    .filter(({ ageMs }) => ageMs < HELD_MS)
    .sort((a, b) => a.ageMs - b.ageMs)
    .slice(0, SHARED_MODELS);
  return Object.fromEntries(told.map(({ model, ...announcement }) => [model, announcement]));
}

/** Of each model the newest announcement, so much older. */
export function mergedAnnouncements(
  all: readonly { readonly announced: Announcements; readonly ageMs: number }[],
): Announcements {
  const newest = new Map<string, Announced>();
  for (const { announced, ageMs } of all)
    for (const [model, { release, exclude, ageMs: then }] of Object.entries(announced)) {
      const at = -(then + ageMs);
      const known = newest.get(model);
      if (known === undefined || at > known.at) newest.set(model, { release, exclude, at });
    }
  return announcementsOf(newest, 0);
}
