/**
 * What is known of each model's release: its routing defaults, and between which variants the edge has a choice. Every
 * answer tells, so what is known is as new as the last one. Before anything of a model of which nothing is known may
 * leave the edge, or nothing was heard for a moment, somebody is asked, without the payload: what must not leave does
 * not leave with the first request. A release that a channel is pointed to through this router is known at once.
 */
import { boundedMap } from '../../core/bounded-map.ts';
import { REQUEST_HEADERS, TOLD_HEADER } from '../../core/contracts/headers.ts';
import type { Announcements } from '../../core/contracts/sharing.ts';
import { Fault } from '../../core/errors.ts';
import { type Announced, announcementsOf, heldTo, isPast } from '../../core/routing/announced.ts';
import { EDGE, type Place, type TargetId } from '../../core/routing/targets.ts';
import { type Defaults, NOTHING_TOLD, readTold, type Said } from '../../core/routing/told.ts';
import { type TargetVariant, variantsOf } from '../../core/routing/variants.ts';
import { drop, send, type Upstream } from './attempt.ts';

/** Milliseconds after the last answer that told: a release may have changed since. A target looks as often. */
export const KNOWN_MS = 1_000;
/** Milliseconds that a model counts as not there. */
const ABSENT_MS = 1_000;
/** Models remembered. Clients name them: one that is asked often must not give way to names that are made up. */
const MODELS = 512;
/** Milliseconds that one target is waited for, at most, and the share of the deadline. */
const ASK_MS = 1_000;
const ASK_SHARE = 0.25;
/** Where what was known holds if nobody says in time. */
const ASK_AGAIN_MS = 250;

export interface Rules {
  readonly defaults: Defaults;
  /** Of the edge; empty: no choice. */
  readonly variants: readonly TargetVariant[];
}

interface Known extends Rules {
  /** As each place last told it; undefined: it has not. */
  readonly texts: { readonly [place in Place]?: string | null };
  /** Beside what they told. */
  readonly announced: Announced | undefined;
  until: number;
}

/** What a target tells is of the time when it was asked, and of this release; null: it does not say. */
export interface TellsOf {
  readonly release: string | null;
  readonly sentAt: number;
}

export const NO_RULES: Rules = { defaults: {}, variants: [] };

export type RuleBook = ReturnType<typeof createRuleBook>;

export function createRuleBook({
  upstreams,
  isHealthy,
  clock,
}: {
  readonly upstreams: ReadonlyMap<TargetId, Upstream>;
  readonly isHealthy: (target: TargetId) => boolean;
  /** Milliseconds. */
  readonly clock: () => number;
}) {
  const known = boundedMap<Known>(MODELS);
  /** By model: what this isolate announced itself, and what others did. */
  const announced = new Map<string, Announced & { readonly isOwn: boolean }>();

  function announcementFor(model: string, of: TellsOf): Announced | undefined {
    const found = announced.get(model);
    return found === undefined || isPast(found, of) ? undefined : found;
  }

  /** @param text of the header; null: there is nothing to tell */
  function heard(model: string, place: Place, text: string | null, of: TellsOf): void {
    const before = known.get(model);
    const until = clock() + KNOWN_MS;
    const held = announcementFor(model, of);
    if (before !== undefined && before.texts[place] === text && before.announced === held) {
      before.until = until;
      return;
    }
    const told = text === null ? NOTHING_TOLD : readTold(text);
    if (told === undefined) return;
    const { variants: names = [], ...defaults } = told;
    const variants = place === 'edge' ? variantsOf(EDGE, names) : (before?.variants ?? []);
    const texts = { ...before?.texts, [place]: text };
    known.set(model, { defaults: heldTo(defaults, held), variants, texts, announced: held, until });
  }

  /**
   * The first that answers, in order of health.
   * @returns undefined where none did
   */
  async function askAround(
    { path, headers, client }: Pick<Asking, 'path' | 'headers' | 'client'>,
    limitMs: number,
  ) {
    const message = { method: 'HEAD', path, headers, body: undefined, call: undefined } as const;
    const healthyFirst = [...upstreams].sort(([a], [b]) => Number(isHealthy(b)) - Number(isHealthy(a)));
    for (const [target, upstream] of healthyFirst) {
      const sentAt = clock();
      const outcome = await send(upstream, message, limitMs, client).outcome;
      await drop(outcome);
      if (outcome.kind === 'cancelled') break;
      if (outcome.kind !== 'answered') continue;
      const isThere = outcome.answer.status === 200;
      const text = isThere ? outcome.answer.header(TOLD_HEADER) : null;
      return { place: target === EDGE ? 'edge' : 'cloud', isThere, text, sentAt } as const;
    }
    return undefined;
  }

  async function ask(model: string, asking: Asking): Promise<Rules> {
    const longest = known.get(model) !== undefined ? ASK_AGAIN_MS : ASK_MS;
    const answer = await askAround(asking, Math.min(longest, asking.deadlineMs * ASK_SHARE));
    if (answer !== undefined) {
      const { place, isThere, text, sentAt } = answer;
      heard(model, place, text, { release: null, sentAt });
      const rules = known.get(model);
      if (rules !== undefined && !isThere) rules.until = clock() + ABSENT_MS;
    }
    return known.get(model) ?? unknown(asking.said);
  }

  /** What was told before may be of the release before, also where it is told again. */
  function announce(
    model: string,
    news: Announced & { readonly isOwn: boolean },
    defaults: Defaults = {},
  ): void {
    announced.delete(model);
    announced.set(model, news);
    for (const oldest of announced.keys()) {
      if (announced.size <= MODELS) break;
      announced.delete(oldest);
    }
    const before = known.get(model);
    if (before === undefined) return;
    const { variants, until } = before;
    known.set(model, { defaults: heldTo(defaults, news), variants, texts: {}, announced: news, until });
  }

  return {
    heard,
    /** Where requests of the model must not go, as far as it is known now: it may have become more since it was asked for. */
    excludedNow: (model: string): readonly TargetId[] | undefined => known.get(model)?.defaults.exclude,
    /**
     * A channel points to this release, since the cloud has just said so. A release is never changed, so whatever target
     * tells of it by its number tells the truth; if none does, nothing of the model leaves the edge until one has answered by it.
     */
    async announced(
      model: string,
      release: number,
      headers: Readonly<Record<string, string>>,
    ): Promise<void> {
      const path = `/v2/models/${model}/versions/${release}`;
      const answer = await askAround({ path, headers, client: undefined }, ASK_MS);
      const told = answer?.isThere === true ? readTold(answer.text ?? '{}') : undefined;
      const { variants: _variants, ...defaults } = told ?? { exclude: ['cloud'] };
      announce(model, { release, exclude: defaults.exclude ?? [], at: clock(), isOwn: true }, defaults);
    },
    /** To be told to other isolates: what they told this one is theirs to tell. */
    announcements: (): Announcements =>
      announcementsOf(
        [...announced].filter(([, { isOwn }]) => isOwn),
        clock(),
      ),
    /** Told by other isolates. */
    announcedElsewhere(all: Announcements): void {
      const now = clock();
      for (const [model, { release, exclude, ageMs }] of Object.entries(all)) {
        const before = announced.get(model);
        if (before !== undefined && (before.release === release || before.at >= now - ageMs)) continue;
        announce(model, { release, exclude, at: now - ageMs, isOwn: false }, known.get(model)?.defaults);
      }
    },
    /**
     * What holds for a request; a promise where somebody has to be asked first.
     * @param asking what is needed for that
     * @throws Fault `unavailable` where nobody knows and the request is to leave the edge
     */
    rulesFor(model: string, said: Said, asking: () => Omit<Asking, 'said'>): Rules | Promise<Rules> {
      const rules = known.get(model);
      if (rules !== undefined && clock() < rules.until) return rules;
      if (!mayLeave(said) && !isVariant(said.target)) return rules ?? NO_RULES;
      return ask(model, { ...asking(), said });
    },
  };

  function mayLeave({ target = 'auto', exclude = [] }: Said): boolean {
    return upstreams.size > 1 && target !== EDGE && !isVariant(target) && !exclude.includes('cloud');
  }
}

/** To ask a target about a model. */
interface Asking {
  /** Of its metadata. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of the request that waits. */
  readonly deadlineMs: number;
  readonly client: AbortSignal | undefined;
  readonly said: Said;
}

const isVariant = (target: TargetId = '') => target.startsWith(`${EDGE}-`);

/** It may be that nothing of the model may leave the edge. */
function unknown({ target = 'auto' }: Said): Rules {
  if (target === 'auto' || target.startsWith(EDGE)) return { ...NO_RULES, defaults: { exclude: ['cloud'] } };
  const message = `${REQUEST_HEADERS.target}: no target says now whether the model's requests may go to ${target}`;
  throw new Fault('unavailable', message, { field: REQUEST_HEADERS.target, retryAfterS: 1 });
}
