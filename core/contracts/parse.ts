import type { z } from 'zod';
import { Fault, type FaultCode } from '../errors.ts';

/** `inputs[0].shape`, as a client would write it. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((field, part) => {
    if (typeof part === 'number') return `${field}[${part}]`;
    return field === '' ? String(part) : `${field}.${String(part)}`;
  }, '');
}

/**
 * Checks a value against a contract.
 * @param code of the Fault: `invalid` (400) for a malformed body, `unprocessable` (422) for a sound one that cannot be done
 * @throws Fault naming the first wrong field, what was wrong and what is allowed
 */
export function parse<T>(schema: z.ZodType<T>, value: unknown, code: FaultCode = 'invalid'): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue === undefined) throw new Fault(code, 'invalid value');
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const field = fieldPath(unknown === undefined ? issue.path : [...issue.path, unknown]);
  const message = unknown === undefined ? issue.message : 'unknown field';
  throw new Fault(code, field === '' ? message : `${field}: ${message}`, { field });
}
