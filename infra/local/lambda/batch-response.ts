/**
 * Which messages of a batch are done, by AWS's rules for `ReportBatchItemFailures`:
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
import type { InvokeOutcome } from './invocation.ts';

/** @returns ids whose messages stay in the queue, to be delivered again */
export function failedMessages(
  outcome: InvokeOutcome,
  messageIds: readonly string[],
  reportBatchItemFailures: boolean,
): ReadonlySet<string> {
  const all = new Set(messageIds);
  switch (outcome.kind) {
    case 'failed':
    case 'throttled':
    case 'too_large':
      return all;
    case 'streamed':
      return new Set();
    case 'result':
      return reportBatchItemFailures ? reported(outcome.payload, all) : new Set();
  }
}

/**
 * All done: no answer, an empty answer, a null or empty list. All failed: an answer that is no JSON object of that
 * shape, an id that is empty, null, misspelt (`itemIdentifer`) or of no message in the batch.
 */
function reported(payload: string, all: ReadonlySet<string>): ReadonlySet<string> {
  const answer: unknown = JSON.parse(payload);
  if (answer === null || answer === '') return new Set();
  if (typeof answer !== 'object' || Array.isArray(answer)) return all;
  const { batchItemFailures: list } = answer as { batchItemFailures?: unknown };
  if (list === undefined || list === null) return new Set();
  if (!Array.isArray(list)) return all;
  const failed = new Set<string>();
  for (const item of list as unknown[]) {
    const id = (item as { itemIdentifier?: unknown } | null)?.itemIdentifier;
    if (typeof id !== 'string' || !all.has(id)) return all;
    failed.add(id);
  }
  return failed;
}
