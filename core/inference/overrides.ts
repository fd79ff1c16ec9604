/** What a target's environment changes of its configuration, docs/serving.md. */
import { Fault } from '../errors.ts';
import type { InferenceConfig } from './config.ts';
import { parsePreference } from './variants.ts';

/** Variables of a Worker or a function; '' is as good as absent. */
export interface Overrides {
  readonly CAUSEWAY_VARIANTS?: string | undefined;
  readonly CAUSEWAY_BATCH_ROWS?: string | undefined;
  readonly CAUSEWAY_BATCH_DELAY_MS?: string | undefined;
  readonly CAUSEWAY_BATCH_VARIANTS?: string | undefined;
  readonly CAUSEWAY_QUEUE_LIMIT?: string | undefined;
}

/** @throws Fault `internal` naming the variable that is wrong: a deployment error */
export function configured(base: InferenceConfig, environment: Overrides): InferenceConfig {
  const { batching } = base;
  const number = (name: keyof Overrides, fallback: number, lowest: number, highest: number) =>
    wholeNumber(name, environment[name], { fallback, lowest, highest });
  return {
    ...base,
    variants: parsePreference('CAUSEWAY_VARIANTS', environment.CAUSEWAY_VARIANTS) ?? base.variants,
    batching: {
      ...batching,
      maxRows: number('CAUSEWAY_BATCH_ROWS', batching.maxRows, 1, 1024),
      maxDelayMs: number('CAUSEWAY_BATCH_DELAY_MS', batching.maxDelayMs, 0, 1000),
      variants:
        parsePreference('CAUSEWAY_BATCH_VARIANTS', environment.CAUSEWAY_BATCH_VARIANTS) ?? batching.variants,
    },
    queueLimit: number('CAUSEWAY_QUEUE_LIMIT', base.queueLimit, 1, 100_000),
  };
}

function wholeNumber(
  name: string,
  text: string | undefined,
  { fallback, lowest, highest }: Readonly<Record<'fallback' | 'lowest' | 'highest', number>>,
): number {
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= lowest && value <= highest) return value;
  throw new Fault('internal', `${name} is ${text}; a whole number from ${lowest} to ${highest}`);
}
