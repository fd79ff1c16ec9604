/**
 * Where a command finds Causeway: the stack running on this machine, or whatever the environment names
 * (CAUSEWAY_URL and CAUSEWAY_API_TOKEN for the API; CAUSEWAY_BUCKET and the AWS variables for the bucket).
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import { Fault } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { refreshing } from '../../core/storage/refresh.ts';
import { type Client, createClient } from './client.ts';

export const DEFAULT_PORT = 8787;
const DEFAULT_STATE = '.causeway';

const StackFile = z.object({
  v: z.literal(1),
  routerUrl: z.string(),
  environment: z.record(z.string(), z.string()),
});

/** `--state`, else CAUSEWAY_STATE, else `.causeway` here. Absolute. */
export function stateDirectory(option?: string): string {
  return resolve(option ?? process.env['CAUSEWAY_STATE'] ?? DEFAULT_STATE);
}

async function stackFile(state: string): Promise<z.infer<typeof StackFile> | undefined> {
  const text = await readFile(join(state, 'stack.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : StackFile.parse(JSON.parse(text));
}

export async function connect(options: { readonly state?: string; readonly url?: string }): Promise<Client> {
  const given = options.url ?? process.env['CAUSEWAY_URL'];
  const running = given === undefined ? await stackFile(stateDirectory(options.state)) : undefined;
  const url = given ?? running?.routerUrl ?? `http://127.0.0.1:${DEFAULT_PORT}`;
  return createClient(url, process.env['CAUSEWAY_API_TOKEN']);
}

/** The bucket itself, for what is too large for the API: data and models. */
export async function connectStore(options: { readonly state?: string }): Promise<ObjectStore> {
  const bucket = process.env['CAUSEWAY_BUCKET'];
  if (bucket !== undefined)
    return refreshing(s3Store({ client: createS3Client(process.env), bucket }), Date.now);
  const running = await stackFile(stateDirectory(options.state));
  if (running === undefined) {
    const message =
      'no bucket: start the local stack with "causeway up", or set CAUSEWAY_BUCKET and the AWS variables';
    throw new Fault('unprocessable', message);
  }
  const local = s3Store({
    client: createS3Client(running.environment),
    bucket: running.environment['CAUSEWAY_BUCKET'] ?? '',
  });
  return refreshing(local, Date.now);
}

/** What reaches the bucket and the queue: the environment's own, or the stack's that runs here. */
export async function stackEnvironment(options: {
  readonly state?: string;
}): Promise<Readonly<Record<string, string | undefined>>> {
  if (process.env['CAUSEWAY_QUEUE_URL'] !== undefined) return process.env;
  const running = await stackFile(stateDirectory(options.state));
  if (running === undefined)
    throw new Fault('unprocessable', 'no queue: start the local stack with "causeway up"');
  return running.environment;
}
