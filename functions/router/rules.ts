/**
 * What is known of each model's release: its routing defaults, and between which variants the edge has a choice. Every
 * answer tells, so what is known is as new as the last one. Before anything of a model of which nothing is known may
 * leave the edge, somebody is asked, without the payload: what must not leave does not leave with the first request.
 */
import { boundedMap } from '../../core/bounded-map.ts';
import { REQUEST_HEADERS, TOLD_HEADER } from '../../core/contracts/headers.ts';
import { Fault } from '../../core/errors.ts';
import { EDGE, type Place, type TargetId } from '../../core/routing/targets.ts';
import { type Defaults, NOTHING_TOLD, readTold, type Said } from '../../core/routing/told.ts';
import { type TargetVariant, variantsOf } from '../../core/routing/variants.ts';
import { drop, send, type Upstream } from './attempt.ts';

/** Milliseconds after the last answer that told: a release may have changed since. */
const KNOWN_MS = 60_000;
/** Milliseconds that a model counts as not there. */
const ABSENT_MS = 1_000;
/** Models remembered. Clients name them: one that is asked often must not give way to names that are made up. */
const MODELS = 512;
/** Milliseconds that one target is waited for, at most, and the share of the deadline. */
const ASK_MS = 1_000;
const ASK_SHARE = 0.25;

export interface Rules {
  readonly defaults: Defaults;
  /** Of the edge; empty: no choice. */
  readonly variants: readonly TargetVariant[];
}

interface Known extends Rules {
  /** As each place last told it; undefined: it has not. */
  readonly texts: { readonly [place in Place]?: string | null };
  until: number;
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

  /** @param text of the header; null: there is nothing to tell */
  function heard(model: string, place: Place, text: string | null): void {
    const before = known.get(model);
    const until = clock() + KNOWN_MS;
    if (before !== undefined && before.texts[place] === text) {
      before.until = until;
      return;
    }
    const told = text === null ? NOTHING_TOLD : readTold(text);
    if (told === undefined) return;
    const { variants: names = [], ...defaults } = told;
    const variants = place === 'edge' ? variantsOf(EDGE, names) : (before?.variants ?? []);
    known.set(model, { defaults, variants, texts: { ...before?.texts, [place]: text }, until });
  }

  async function ask(model: string, asking: Asking): Promise<Rules> {
    const { path, headers, deadlineMs, client } = asking;
    const message = { method: 'HEAD', path, headers, body: undefined, call: undefined } as const;
    const healthyFirst = [...upstreams].sort(([a], [b]) => Number(isHealthy(b)) - Number(isHealthy(a)));
    for (const [target, upstream] of healthyFirst) {
      const limitMs = Math.min(ASK_MS, deadlineMs * ASK_SHARE);
      const outcome = await send(upstream, message, limitMs, client).outcome;
      await drop(outcome);
      if (outcome.kind === 'cancelled') break;
      if (outcome.kind !== 'answered') continue;
      const { answer } = outcome;
      const isThere = answer.status === 200;
      heard(model, target === EDGE ? 'edge' : 'cloud', isThere ? answer.header(TOLD_HEADER) : null);
      const rules = known.get(model);
      if (rules === undefined) continue;
      if (!isThere) rules.until = clock() + ABSENT_MS;
      return rules;
    }
    return known.get(model) ?? unknown(asking.said);
  }

  return {
    heard,
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
