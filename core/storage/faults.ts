/** Faults of a store. Clients are told what it means for them; what it was, with keys and credentials, is for operators. */
import { Fault } from '../errors.ts';

const TOLD = {
  unavailable: 'the object store cannot be reached now',
  internal: 'the object store cannot be used: whoever runs this must mend it',
  bad_gateway: 'the object store gave no proper answer',
} as const;

/** @param detail what was tried, and what was wrong */
export const storeFault = (code: keyof typeof TOLD, detail: string, cause?: unknown): Fault =>
  new Fault(code, TOLD[code], { detail, cause });

/** An object is there, and is not what its key says it is. */
export const damaged = (detail: string, cause?: unknown): Fault =>
  new Fault('internal', 'an object of the store is damaged', { detail, cause });

/** @param size of the object, where it is known */
export function outsideRange(
  key: string,
  { start, end }: { readonly start: number; readonly end: number },
  size?: number,
): Fault {
  const of = size === undefined ? '' : ` of ${size} bytes`;
  return new Fault('invalid', `range [${start}, ${end}) is not inside the object${of}`, {
    field: 'range',
    detail: key,
  });
}
