import type { z } from 'zod';
import { Fault } from '../errors.ts';
import type { ObjectStore, PutCondition, PutOutcome } from './object-store.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** Reads and checks a JSON object. @returns undefined where there is none. @throws Fault naming the key and field. */
export async function getJson<T>(
  store: ObjectStore,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const object = await store.get(key);
  if (object === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(object.body));
  } catch (cause) {
    throw new Fault('internal', `object ${key} is not JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Fault('internal', `object ${key}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }
  return parsed.data;
}

export function putJson(
  store: ObjectStore,
  key: string,
  value: unknown,
  condition?: PutCondition,
  metadata?: Readonly<Record<string, string>>,
): Promise<PutOutcome> {
  return store.put(key, encoder.encode(JSON.stringify(value)), {
    contentType: 'application/json',
    ...(condition === undefined ? {} : { condition }),
    ...(metadata === undefined ? {} : { metadata }),
  });
}
