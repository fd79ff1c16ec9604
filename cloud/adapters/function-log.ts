/** Where the lines of a deployed function go, and where its random digits come from. */
import { randomBytes } from 'node:crypto';
import { jsonLog } from '../../core/telemetry/log.ts';
import type { RandomHex } from '../../core/telemetry/trace.ts';

/**
 * Past `console`: Lambda's runtime replaces it by one that puts what it is given, as text, into a JSON object of its own.
 * What is JSON on standard output it leaves as it is.
 */
export const functionLog = jsonLog((line) => void process.stdout.write(`${line}\n`));

export const randomHex: RandomHex = (count) => randomBytes(count).toString('hex');
