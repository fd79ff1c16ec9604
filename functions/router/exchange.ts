/**
 * An isolate's exchange with the other isolates of its point of presence: in the background, never on the way of a
 * request, and of no consequence where it fails. A new isolate begins at once, so that it need not explore anew.
 */
import { Told } from '../../core/contracts/sharing.ts';
import type { RandomHex } from '../../core/telemetry/trace.ts';
import type { PointsOfPresence } from './environment.ts';
import type { Isolate } from './isolate.ts';
import type { RuleBook } from './rules.ts';

/** Milliseconds between two exchanges, at least; twice as long after each failure in a row, up to the second. */
export const EXCHANGE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** Milliseconds until it is given up. */
const LIMIT_MS = 1_000;
/** Where Cloudflare does not say which data centre it is: on one machine. */
const NOWHERE = 'local';

export interface ExchangeOptions {
  readonly isolate: Pick<Isolate, 'summary' | 'told' | 'exchanged'>;
  readonly rules: Pick<RuleBook, 'announcements' | 'announcedElsewhere'>;
  /** undefined: each isolate learns alone. */
  readonly points: PointsOfPresence | undefined;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  readonly randomHex: RandomHex;
}

/**
 * @param colo name of the data centre; asked for only when an exchange is due
 * @param answered settles with the request: only a new isolate does not wait for that
 * @param isUrgent there is something to tell that others must not wait for
 * @returns undefined while none is due, else what must be kept alive; it never rejects
 */
export type Exchange = (
  colo: () => string | undefined,
  answered: Promise<unknown>,
  isUrgent?: boolean,
) => Promise<void> | undefined;

export function createExchange({ isolate, rules, points, clock, randomHex }: ExchangeOptions): Exchange {
  if (points === undefined) return () => undefined;
  const id = randomHex(8);
  let sequence = 0;
  let failures = 0;
  let dueAt = -Infinity;

  async function exchange(colo: string): Promise<void> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), LIMIT_MS);
    try {
      // A stub that failed may stay broken: each exchange has its own.
      const point = points!.get(points!.idFromName(colo) as never);
      const announced = rules.announcements();
      const telling = {
        v: 1,
        isolate: id,
        sequence: sequence++,
        summary: isolate.summary(),
        ...(Object.keys(announced).length === 0 ? {} : { announced }),
      };
      const response = await point.fetch('http://pop/', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(telling),
        signal: abort.signal,
      });
      const answer: unknown = await response.json();
      const told = Told.parse(answer);
      isolate.told(told);
      rules.announcedElsewhere(told.announced ?? {});
      failures = 0;
    } catch {
      failures += 1;
    } finally {
      clearTimeout(timer);
      isolate.exchanged(failures === 0);
      dueAt = clock() + Math.min(LONGEST_PAUSE_MS, EXCHANGE_MS * 2 ** failures);
    }
  }

  return (colo, answered, isUrgent = false) => {
    const now = clock();
    if (now < dueAt && !isUrgent) return undefined;
    // By the time and not until it ends: in a Worker work can end without a word.
    dueAt = now + LIMIT_MS + EXCHANGE_MS;
    const isNew = sequence === 0;
    const name = colo() ?? NOWHERE;
    const go = () => exchange(name);
    return isNew || isUrgent ? go() : answered.then(go, go);
  };
}
