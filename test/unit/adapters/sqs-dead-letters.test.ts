/** What SQS may do that the local server does not: short polls that see some servers only, deletes that fail. */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import { sqsDeadLetters } from '../../../cloud/adapters/sqs-dead-letters.ts';

const OWN = 'job_aaaaaaaa';

/** Each receive meets one server's messages, unless it waits: then all that have any. */
function sampled(servers: string[][], undeletable: ReadonlySet<string> = new Set()) {
  const deleted: string[] = [];
  const shown: string[] = [];
  let polls = 0;
  const send = (command: unknown) => {
    if (command instanceof ReceiveMessageCommand) {
      const { MaxNumberOfMessages = 1, WaitTimeSeconds = 0 } = command.input;
      const asked =
        WaitTimeSeconds > 0
          ? (servers.find((server) => server.length > 0) ?? [])
          : servers[polls++ % servers.length]!;
      const handles = asked.splice(0, MaxNumberOfMessages);
      return { Messages: handles.map((handle) => ({ ReceiptHandle: handle, Body: bodyOf(handle) })) };
    }
    if (command instanceof DeleteMessageBatchCommand) {
      const entries = command.input.Entries ?? [];
      const [failed, done] = [true, false].map((fails) =>
        entries.filter(({ ReceiptHandle }) => undeletable.has(ReceiptHandle!) === fails),
      );
      deleted.push(...done!.map(({ ReceiptHandle }) => ReceiptHandle!));
      return { Successful: done, Failed: failed };
    }
    if (command instanceof ChangeMessageVisibilityBatchCommand) {
      shown.push(...(command.input.Entries ?? []).map(({ ReceiptHandle }) => ReceiptHandle!));
      return {};
    }
    throw new Error('no such command');
  };
  const client = { send: async (command: unknown) => send(command) } as unknown as SQSClient;
  return { deleted, shown, letters: sqsDeadLetters({ client, queueUrl: 'http://queue.test/dead' }) };
}

const bodyOf = (handle: string) => JSON.stringify({ job: handle.startsWith('own') ? OWN : 'job_bbbbbbbb' });

it('all of a job are taken out, wherever they lie, and the others are shown again', async () => {
  const { letters, deleted, shown } = sampled([['own-1'], [], ['other-1', 'own-2'], ['own-3']]);
  expect(await letters.exhume(OWN)).toBe(3);
  expect(deleted).toEqual(['own-1', 'own-2', 'own-3']);
  expect(shown).toEqual(['other-1']);
});

it('those that were not deleted do not count', async () => {
  const { letters, deleted } = sampled([['own-1', 'own-2', 'own-3']], new Set(['own-2']));
  expect(await letters.exhume(OWN)).toBe(2);
  expect(deleted).toEqual(['own-1', 'own-3']);
});
