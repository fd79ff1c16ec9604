import type { z } from 'zod';
import { createOrGet } from './create.ts';
import { damaged } from './faults.ts';
import type { ObjectStore, PutCondition, PutOutcome, StoredObject } from './object-store.ts';

const CONTENT_TYPE = 'application/json';
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

const encode = (value: unknown) => encoder.encode(JSON.stringify(value));

/** Reads and checks a JSON object. @returns undefined where there is none. @throws Fault `internal` where it is none of those: its detail names key and field */
export async function getJson<T>(
  store: ObjectStore,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const object = await store.get(key);
  return object === undefined ? undefined : parseObject(object, schema);
}

/** @throws Fault `internal` naming the key and field */
export function parseObject<T>({ key, body }: StoredObject, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(body));
  } catch (cause) {
    throw damaged(`object ${key} is not JSON`, cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw damaged(`object ${key}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }
  return parsed.data;
}

/** Creates a JSON object, or reads the one of whoever was first. @throws Fault as {@link getJson}, and `unavailable` */
export async function createOrRead<T>(
  store: ObjectStore,
  key: string,
  value: T,
  schema: z.ZodType<T>,
): Promise<{ readonly value: T; readonly isNew: boolean }> {
  const earlier = await createOrGet(store, key, encode(value), { contentType: CONTENT_TYPE });
  return earlier === undefined
    ? { value, isNew: true }
    : { value: parseObject(earlier, schema), isNew: false };
}

export function putJson(
  store: ObjectStore,
  key: string,
  value: unknown,
  condition?: PutCondition,
  metadata?: Readonly<Record<string, string>>,
): Promise<PutOutcome> {
  return store.put(key, encode(value), {
    contentType: CONTENT_TYPE,
    ...(condition === undefined ? {} : { condition }),
    ...(metadata === undefined ? {} : { metadata }),
  });
}
