/** Text, from a session in this process or from the router. */
import { REQUEST_HEADERS } from '../../core/contracts/headers.ts';
import { generate, type NextLogits, type Sampling } from '../../core/language/generate.ts';
import type { Tokenizer } from '../../core/language/tokenizer.ts';
import { LLAMA } from '../../core/onnx/builders/llama.ts';
import type { Client, Prediction } from '../cli/client.ts';

export interface Continuation {
  /** Prompt included. */
  readonly text: string;
  /** Generated ones. */
  readonly tokens: number;
  readonly seconds: number;
}

export interface ContinuationRequest {
  readonly next: NextLogits;
  readonly tokenizer: Tokenizer;
  readonly prompt: string;
  /** Tokens in all. */
  readonly length: number;
  /** Left out: the likeliest token each time. */
  readonly sampling?: Sampling;
}

export async function continuation({
  tokenizer,
  prompt,
  ...options
}: ContinuationRequest): Promise<Continuation> {
  const started = performance.now();
  const tokens = [...tokenizer.encode(prompt)];
  const stop = [tokenizer.begin, tokenizer.end];
  let generated = 0;
  for await (const token of generate({ ...options, prompt: [...tokens], stop })) {
    tokens.push(token);
    generated++;
  }
  const seconds = (performance.now() - started) / 1000;
  return { text: tokenizer.decode(tokens), tokens: generated, seconds };
}

/**
 * One infer request for each token, pinned to the cloud: the model needs more memory than the edge gives one.
 * @param onAnswer called with each answer
 */
export function nextLogitsFrom(
  client: Client,
  model: string,
  onAnswer: (prediction: Prediction) => void,
): NextLogits {
  return async (tokens) => {
    const body = JSON.stringify({
      inputs: [{ name: LLAMA.tokens, shape: [1, tokens.length], datatype: 'INT64', data: tokens }],
      outputs: [{ name: LLAMA.nextLogits }],
    });
    const pin = { [REQUEST_HEADERS.target]: 'cloud' };
    const prediction = await client.infer(`/v2/models/${model}/infer`, body, pin);
    onAnswer(prediction);
    return prediction.body.outputs[0]?.data ?? [];
  };
}
