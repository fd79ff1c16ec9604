/**
 * fauxqs, put together by hand. Its own `startFauxqs` listens on every interface; its parts do not. They are not in
 * the package's exports, so this file, and only this one, reaches into the (exactly pinned) package for them.
 */
import type { AddressInfo } from 'node:net';
import type { DatabaseSync } from 'node:sqlite';
import { buildApp, type BuildAppOptions } from 'fauxqs';

type Stores = NonNullable<BuildAppOptions['stores']>;
type SqsStore = Stores['sqsStore'];
type Persistence = NonNullable<SqsStore['persistence']>;

interface FauxqsParts {
  readonly SqsStore: new () => SqsStore;
  readonly SnsStore: new () => Stores['snsStore'];
  readonly S3Store: new () => Stores['s3Store'];
  readonly PersistenceManager: new (directory: string) => Persistence;
}

export interface Fauxqs {
  readonly port: number;
  /**
   * When the oldest message of a queue that waits or is being worked on was sent, Unix milliseconds; undefined: there is
   * none. SQS itself tells that to CloudWatch only.
   */
  oldestSentAt(queue: string): number | undefined;
  stop(): Promise<void>;
}

/** @param directory of its SQLite database @param port 0: any free one */
export async function startFauxqs(directory: string, port: number): Promise<Fauxqs> {
  const parts = await loadParts();
  const persistence = openDatabase(parts, directory);
  const sqsStore = new parts.SqsStore();
  persistence.loadSqsAndSns(sqsStore, new parts.SnsStore());
  sqsStore.persistence = persistence;
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence;
  // Nobody can hold a message yet: whoever received one died with the last server, or was stopped with it.
  for (const queue of sqsStore.allQueues()) {
    for (const handle of queue.inflightMessages.keys()) queue.changeVisibility(handle, 0);
  }

  const app = buildApp({
    logger: false,
    stores: { sqsStore, snsStore: new parts.SnsStore(), s3Store: new parts.S3Store() },
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.headers['x-amz-target'] !== 'AmazonSQS.ReceiveMessage' || !reply.raw.destroyed)
      return payload;
    giveBack(sqsStore, request.body, payload);
    return payload;
  });
  app.addHook('preClose', async () => persistence.close());
  await app.listen({ port, host: '127.0.0.1' });
  return {
    port: (app.server.address() as AddressInfo).port,
    oldestSentAt(name) {
      const queue = [...sqsStore.allQueues()].find((each) => each.name === name);
      if (queue === undefined) return undefined;
      const inFlight = Array.from(queue.inflightMessages.values(), ({ message }) => message);
      const sent = [...queue.messages, ...inFlight].map(({ sentTimestamp }) => sentTimestamp);
      return sent.length === 0 ? undefined : sent.reduce((oldest, at) => Math.min(oldest, at));
    },
    stop: () => app.close(),
  };
}

async function loadParts(): Promise<FauxqsParts> {
  const main = import.meta.resolve('fauxqs');
  const load = (path: string) => import(new URL(path, main).href) as Promise<Partial<FauxqsParts>>;
  const loaded: Partial<FauxqsParts> = Object.assign(
    {},
    ...(await Promise.all(
      ['./persistence.js', './sqs/sqsStore.js', './sns/snsStore.js', './s3/s3Store.js'].map(load),
    )),
  );
  const { SqsStore, SnsStore, S3Store, PersistenceManager } = loaded;
  if (!SqsStore || !SnsStore || !S3Store || !PersistenceManager) {
    throw new Error('this fauxqs is not laid out like the one infra/local/sqs was written for (2.4.1)');
  }
  return { SqsStore, SnsStore, S3Store, PersistenceManager };
}

function openDatabase(parts: FauxqsParts, directory: string): Persistence {
  class FixedPersistence extends parts.PersistenceManager {
    /**
     * 2.4.1 sets the receive count to NULL here, which its own schema refuses: a visibility timeout of 0 lost the
     * message. The row may as well keep its receipt: what a new server finds in flight it gives back anyway.
     */
    override updateMessageReady(): void {}
  }
  const persistence = new FixedPersistence(directory);
  // In WAL mode NORMAL loses nothing when the process dies, only (the last moments) when the machine loses power.
  (Reflect.get(persistence, 'db') as DatabaseSync).exec('PRAGMA synchronous = NORMAL');
  return persistence;
}

/**
 * The one who waited has gone: without this the messages it was about to get would stay hidden for the visibility
 * timeout. SQS does the same as far as it can.
 */
function giveBack(store: SqsStore, request: unknown, payload: unknown): void {
  const queue = store.getQueue((request as { QueueUrl: string }).QueueUrl);
  const { Messages = [] } = JSON.parse(String(payload)) as { Messages?: { ReceiptHandle: string }[] };
  for (const message of Messages) queue?.changeVisibility(message.ReceiptHandle, 0);
}
