/**
 * The second half of a cascade. A target has answered with the small model and said which rows are hard: the larger
 * model in the cloud is asked about them within what is left of the deadline, and its answers take their place. Whatever
 * goes wrong with that, the client gets the answer there is, marked as degraded.
 */
import {
  CASCADE_OFF,
  CASCADE_PART,
  REQUEST_HEADERS,
  TARGET_HEADERS,
  TOLD_HEADER,
} from '../../core/contracts/headers.ts';
import { Fault } from '../../core/errors.ts';
import { alsoExcluding } from '../../core/routing/announced.ts';
import { type Degradation, timeToAsk } from '../../core/routing/cascade/escalate.ts';
import { readRows } from '../../core/routing/cascade/row-list.ts';
import { mergedAnswer, requestOfRows, rowsOfAnswer } from '../../core/routing/cascade/split.ts';
import type { RouteRequest } from '../../core/routing/policy.ts';
import { EDGE, type TargetId } from '../../core/routing/targets.ts';
import type { Timing } from '../../core/telemetry/server-timing.ts';
import { type Answer, drop, type Message, type Outcome, send, type Upstream } from './attempt.ts';
import type { Explainer } from './explainer.ts';
import { describe, resultOf } from './flight.ts';
import type { Isolate } from './isolate.ts';
import type { Sent } from './sent.ts';
import { NO_RULES, type RuleBook } from './rules.ts';

/** An answer with hard rows in it, and what is needed to ask about them. */
export interface HardAnswer {
  /** Of the small model; its body is read or passed on exactly once. */
  readonly answer: Answer;
  /** As the target said them. */
  readonly hard: string;
  /** Who computed it: a target, not one of its variants. */
  readonly host: TargetId;
  /** The client's. */
  readonly message: Message;
  /** With the time that is left now, and what the client and the release exclude. */
  readonly ask: () => RouteRequest;
  readonly client: AbortSignal | undefined;
  /** Told of every decision and attempt, where the client asked why. */
  readonly explainer: Explainer | undefined;
  /** Keeps work alive that goes on after the answer. */
  readonly defer: (work: Promise<unknown>) => void;
}

export interface Means {
  readonly isolate: Isolate;
  readonly rules: RuleBook;
  readonly upstreams: ReadonlyMap<TargetId, Upstream>;
}

export interface SecondAnswer {
  readonly answer: Answer;
  readonly timings: readonly Timing[];
  /** Who asked the larger model what; undefined where the answer is the small model's. */
  readonly sent: Sent | undefined;
  readonly degraded: Degradation | undefined;
}

/**
 * @returns undefined where there is nobody to ask, or nothing: the answer is as good as it gets, and stays unread
 * @throws Fault `bad_gateway` where the small model's answer broke off
 */
export async function secondAnswer(means: Means, first: HardAnswer): Promise<SecondAnswer | undefined> {
  const second = await ask(means, first);
  means.isolate.cascaded(first.hard === 'none' ? 'easy' : (second?.degraded ?? 'hard'));
  return second;
}

async function ask(means: Means, first: HardAnswer): Promise<SecondAnswer | undefined> {
  const { answer, host, message } = first;
  const { body: request = new Uint8Array() } = message;
  const large = largeOf(answer);
  // The cloud's own answer to the same model.
  if (large === undefined && host !== EDGE) return undefined;
  const rows = readRows(first.hard);
  if (rows === undefined || rows.length === 0) return undefined;

  const timings: Timing[] = [];
  const path = large === undefined ? message.path : `${pathOf(large)}/infer`;
  const name = large ?? first.ask().model;
  let given = answer;
  const done = (degraded: Degradation): SecondAnswer => ({
    answer: given,
    timings,
    sent: undefined,
    degraded,
  });

  // The larger model's release may say that its requests must not leave the edge, which is to be known before they do.
  const known =
    large === undefined
      ? NO_RULES
      : means.rules.rulesFor(large, {}, () => ({
          path: pathOf(large),
          headers: message.headers,
          deadlineMs: first.ask().deadlineMs,
          client: first.client,
        }));
  const held = known instanceof Promise ? await known : known;

  async function attempt(body: Uint8Array, cascade: string): Promise<Asked | Degradation | 'not-by-part'> {
    const headers = { ...message.headers, [REQUEST_HEADERS.cascade]: cascade };
    const asked: Message = { method: 'POST', path, body, headers, call: undefined };
    const failed: TargetId[] = [];
    let failure: Degradation | undefined;
    for (;;) {
      const left = first.ask();
      const larger = {
        ...left,
        model: name,
        exclude: alsoExcluding(
          alsoExcluding(left.exclude, held.defaults.exclude),
          means.rules.excludedNow(name),
        ),
        // Of the small model.
        variants: undefined,
        bytes: body.byteLength,
        deadlineMs: timeToAsk(left.deadlineMs),
        tried: failed,
      };
      const escalated = means.isolate.escalate(larger, first.explainer);
      if (!('sent' in escalated)) {
        const { degraded, tried } = escalated;
        if (tried !== undefined)
          first.defer(sendTo(means, tried, asked, undefined).then(({ outcome }) => drop(outcome)));
        return failure ?? degraded;
      }
      const { sent } = escalated;
      const { outcome, timing, cancel } = await sendTo(means, sent, asked, first.client, first.explainer);
      timings.push(timing);
      if (outcome.kind === 'answered' && outcome.answer.status === 200) {
        const { header } = outcome.answer;
        const of = { release: header(TARGET_HEADERS.release), sentAt: sent.attempt.startedAt };
        if (large !== undefined) means.rules.heard(large, 'cloud', header(TOLD_HEADER), of);
        return { sent, answer: outcome.answer, cancel };
      }
      await drop(outcome);
      const status = 'answer' in outcome ? outcome.answer.status : undefined;
      // It may take no fewer rows than it was made for, or know that its rows change each other.
      if (cascade === CASCADE_PART && (status === 400 || status === 422)) return 'not-by-part';
      failure = degradationOf(outcome);
      // Of a target's own failure another one may know nothing; two are enough for a request.
      if (outcome.kind === 'answered' || outcome.kind === 'cancelled' || failed.length > 0) return failure;
      failed.push(sent.attempt.target);
    }
  }

  if (rows !== 'all' && !means.isolate.isAskedWhole(name)) {
    const text = await textOf(answer).catch((cause: unknown) => {
      throw new Fault('bad_gateway', 'the answer broke off', { cause });
    });
    given = { ...answer, body: text };
    const parsed = parseJson(text);
    const part = requestOfRows(parseJson(decoder.decode(request)), rowsOfAnswer(parsed) ?? 0, rows);
    if (part !== undefined) {
      const asked = await attempt(encoder.encode(JSON.stringify(part)), CASCADE_PART);
      if (typeof asked !== 'string') {
        const second = await textWithin(asked, timeToAsk(first.ask().deadlineMs));
        if (second === undefined) return done('deadline');
        const merged = mergedAnswer(parsed, parseJson(second), rows);
        if (merged === undefined) return done('mismatch');
        return {
          sent: asked.sent,
          answer: composed(first, asked.answer, JSON.stringify(merged)),
          timings,
          degraded: undefined,
        };
      }
      if (asked !== 'not-by-part') return done(asked);
      means.isolate.askWhole(name);
    }
  }
  const asked = await attempt(request, CASCADE_OFF);
  if (typeof asked === 'string') return done(asked === 'not-by-part' ? 'cloud-refused' : asked);
  await drop({ kind: 'answered', answer: given });
  return {
    sent: asked.sent,
    answer: composed(first, asked.answer, asked.answer.body),
    timings,
    degraded: undefined,
  };
}

async function sendTo(
  { isolate, upstreams }: Means,
  sent: Sent,
  message: Message,
  client: AbortSignal | undefined,
  explainer?: Explainer,
): Promise<{ readonly outcome: Outcome; readonly timing: Timing; readonly cancel: () => void }> {
  const { host } = sent;
  explainer?.sent(sent);
  const sending = send(upstreams.get(host)!, message, sent.limitMs, client);
  const outcome = await sending.outcome;
  const came = resultOf(host, outcome);
  const ms = isolate.finish(sent, came);
  explainer?.ended(sent, came, ms);
  const timing = { name: sent.attempt.target, ms, description: describe(sent, outcome) };
  return { outcome, timing, cancel: sending.cancel };
}

interface Asked {
  readonly sent: Sent;
  readonly answer: Answer;
  /** Ends the answer, if it still comes. */
  readonly cancel: () => void;
}

/** The larger model's answer, with what the small one's said of the cascade. */
function composed({ answer: small }: HardAnswer, large: Answer, body: Answer['body']): Answer {
  const ofSmall: readonly string[] = [TARGET_HEADERS.hard, TARGET_HEADERS.large];
  const header = (name: string) => (ofSmall.includes(name) ? small : large).header(name);
  return { status: large.status, body, header };
}

function degradationOf({ kind }: Outcome): Degradation {
  if (kind === 'timeout') return 'deadline';
  return kind === 'answered' ? 'cloud-refused' : 'cloud-failed';
}

/** `name` or `name/version`, as a target says it. */
const LARGE = /^[a-z0-9][a-z0-9._-]{0,62}(?:\/\d{1,9})?$/;

function largeOf(answer: Answer): string | undefined {
  const text = answer.header(TARGET_HEADERS.large);
  return text !== null && LARGE.test(text) ? text : undefined;
}

function pathOf(large: string): string {
  const [model, version] = large.split('/');
  return `/v2/models/${model}${version === undefined ? '' : `/versions/${version}`}`;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

async function textOf({ body }: Answer): Promise<string> {
  return typeof body === 'string' ? body : new Response(body).text();
}

/** An answer that has begun in time may still not end in time. @returns undefined: it did not; '' where it broke off */
async function textWithin({ answer, cancel }: Asked, limitMs: number): Promise<string | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    late.resolve(undefined);
    cancel();
  }, limitMs);
  const text = textOf(answer).catch(() => '');
  return Promise.race([text, late.promise]).finally(() => clearTimeout(timer));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
