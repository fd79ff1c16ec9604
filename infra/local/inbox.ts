/**
 * Announces what is dropped into the inbox of the local bucket, as S3 does of its own: a message to the task queue per
 * object put. The bucket has no notifications, so its list is read again and again; it is one request a second.
 */
import { setTimeout } from 'node:timers/promises';
import { INBOX_PREFIX, INBOX_SUFFIX } from '../../core/contracts/keys.ts';
import { objectCreated, type ObjectsCreated } from '../../core/contracts/notification.ts';
import { inFull } from '../../core/errors.ts';
import { eachObject } from '../../core/storage/list.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';

/** Milliseconds between two looks. */
const LOOK_EVERY_MS = 1_000;

export interface InboxOptions {
  readonly store: ObjectStore;
  readonly send: (message: ObjectsCreated) => Promise<void>;
  readonly log: (line: string) => void;
}

/**
 * What lay there before is announced too, at each start: with the same sequencers, so that it starts nothing twice.
 * @returns what stops it
 */
export function watchInbox({ store, send, log }: InboxOptions): () => Promise<void> {
  const stopping = new AbortController();
  const announced = new Set<string>();

  async function look(): Promise<void> {
    for await (const { key, etag, modifiedAt } of eachObject(store, INBOX_PREFIX)) {
      // Of two puts of one key the later has the larger; S3's own are hexadecimal too.
      const sequencer = modifiedAt.getTime().toString(16).padStart(16, '0');
      const put = `${key}#${sequencer}#${etag}`;
      if (announced.has(put) || !key.endsWith(INBOX_SUFFIX)) continue;
      await send(objectCreated({ key, sequencer }));
      announced.add(put);
    }
  }

  async function watch(): Promise<void> {
    let failing = false;
    while (!stopping.signal.aborted) {
      try {
        await look();
        failing = false;
      } catch (thrown) {
        if (!failing && !stopping.signal.aborted) log(`the inbox cannot be read: ${inFull(thrown)}`);
        failing = true;
      }
      await setTimeout(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  const watching = watch();
  return async () => {
    stopping.abort();
    await watching;
  };
}
