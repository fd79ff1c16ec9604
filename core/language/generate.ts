/**
 * Text from a language model, token by token. Each token costs a run over the whole prefix: there is no cache of keys
 * and values, so the graph stays the one that was trained. For contexts of some hundred tokens that is quick enough.
 */
import { Fault } from '../errors.ts';
import type { ModelSession } from '../inference/runtime.ts';
import { LLAMA } from '../onnx/builders/llama.ts';
import type { Random } from '../random.ts';

/** Scores of the token after these; only read until the next call. */
export type NextLogits = (tokens: readonly number[]) => Promise<ArrayLike<number>>;

/** Nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751): of the likeliest tokens that make up `topP`. */
export interface Sampling {
  /** Above 0; below 1 sharper than the model, above flatter. */
  readonly temperature: number;
  /** Above 0, at most 1. */
  readonly topP: number;
  readonly random: Random;
}

export interface GenerateOptions {
  readonly next: NextLogits;
  /** At least one token. */
  readonly prompt: Iterable<number>;
  /** Tokens in all, prompt included: at most the model's context. */
  readonly length: number;
  /** Tokens that end the text; not given out. */
  readonly stop?: readonly number[];
  /** Left out: the likeliest token each time. */
  readonly sampling?: Sampling;
}

/**
 * @yields the tokens after the prompt
 * @throws Fault `invalid` where the prompt is empty or the sampling out of range
 */
export async function* generate(options: GenerateOptions): AsyncGenerator<number, void, undefined> {
  const { next, length, stop = [], sampling } = options;
  const tokens = [...options.prompt];
  if (tokens.length === 0)
    throw new Fault('invalid', 'prompt is empty: it must have a token', { field: 'prompt' });
  if (sampling !== undefined) checkSampling(sampling);
  while (tokens.length < length) {
    const logits = await next(tokens);
    const token = sampling === undefined ? likeliest(logits) : sample(logits, sampling);
    if (stop.includes(token)) return;
    tokens.push(token);
    yield token;
  }
}

/** Runs a model whose ends are those of `buildLlama`. */
export function nextLogitsOf(session: ModelSession): NextLogits {
  return async (tokens) => {
    const data = BigInt64Array.from(tokens, BigInt);
    const input = { dtype: 'I64', shape: [1, tokens.length], data } as const;
    const outputs = await session.run({ [LLAMA.tokens]: input }, [LLAMA.nextLogits]);
    return outputs[LLAMA.nextLogits]!.data as Float32Array;
  };
}

function checkSampling({ temperature, topP }: Sampling): void {
  if (!(temperature > 0))
    throw new Fault('invalid', `temperature is ${temperature}: it must be above 0`, { field: 'temperature' });
  if (!(topP > 0 && topP <= 1))
    throw new Fault('invalid', `topP is ${topP}: it must be above 0 and at most 1`, { field: 'topP' });
}

/** The first of the largest. */
function likeliest(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

function sample(logits: ArrayLike<number>, { temperature, topP, random }: Sampling): number {
  const highest = logits[likeliest(logits)]!;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - highest) / temperature));
  const order = Uint32Array.from(weights, (_, i) => i).sort((a, b) => weights[b]! - weights[a]! || a - b);
  const wanted = topP * weights.reduce((sum, weight) => sum + weight, 0);
  let nucleus = 0;
  let count = 0;
  while (count < order.length && nucleus < wanted) nucleus += weights[order[count++]!]!;
  let left = random.uniform() * nucleus;
  for (let i = 0; i < count - 1; i++) {
    left -= weights[order[i]!]!;
    if (left < 0) return order[i]!;
  }
  return order[count - 1]!;
}
