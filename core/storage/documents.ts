/** JSON objects that are written once and never change, read at most once while they are remembered. */
import type { z } from 'zod';
import { getJson } from './json.ts';
import type { ObjectStore } from './object-store.ts';

/** By key. It may forget what it likes. */
export interface Documents {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
}

export interface Remembering {
  readonly store: ObjectStore;
  /** Default: nothing is remembered. */
  readonly documents?: Documents | undefined;
}

/** @param schema the only one that objects of this key are read with @returns undefined where there is none, yet */
export async function getDocument<T>(
  { store, documents }: Remembering,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const known = documents?.get(key);
  if (known !== undefined) return known as T;
  const value = await getJson(store, key, schema);
  if (value !== undefined) documents?.set(key, value);
  return value;
}
