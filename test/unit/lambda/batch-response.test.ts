import { describe, expect, it } from 'vitest';
import { failedMessages } from '../../../infra/local/lambda/batch-response.ts';
import type { InvokeOutcome } from '../../../infra/local/lambda/invocation.ts';

const BATCH = ['a', 'b', 'c'];
const answer = (value: unknown): InvokeOutcome => ({ kind: 'result', payload: JSON.stringify(value) });
const failed = (outcome: InvokeOutcome, report = true) => [...failedMessages(outcome, BATCH, report)];

/** https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html, "Success and failure conditions". */
describe('ReportBatchItemFailures', () => {
  it.each([
    ['null', null],
    ['an empty answer', {}],
    ['an empty text', ''],
    ['an empty list', { batchItemFailures: [] }],
    ['a null list', { batchItemFailures: null }],
  ])('%s: all done', (_name, value) => {
    expect(failed(answer(value))).toEqual([]);
  });

  it.each([
    ['an empty id', { batchItemFailures: [{ itemIdentifier: '' }] }],
    ['a null id', { batchItemFailures: [{ itemIdentifier: null }] }],
    ['a misspelt key', { batchItemFailures: [{ itemIdentifer: 'a' }] }],
    ['an id of another batch', { batchItemFailures: [{ itemIdentifier: 'a' }, { itemIdentifier: 'z' }] }],
    ['a list of ids only', { batchItemFailures: ['a'] }],
    ['a null item', { batchItemFailures: [null] }],
    ['no list', { batchItemFailures: 'a' }],
    ['a list instead of an answer', [{ itemIdentifier: 'a' }]],
    ['a text instead of an answer', 'a'],
  ])('%s: all failed', (_name, value) => {
    expect(failed(answer(value))).toEqual(BATCH);
  });

  it('named messages failed, the rest is done', () => {
    const some = { batchItemFailures: [{ itemIdentifier: 'c' }, { itemIdentifier: 'a' }] };
    expect(failed(answer(some))).toEqual(['c', 'a']);
    expect(failed(answer(some), false)).toEqual([]);
  });

  it.each([
    [{ kind: 'failed', error: { errorType: 'Error', errorMessage: '' } }],
    [{ kind: 'throttled' }],
    [{ kind: 'too_large', bytes: 1 }],
  ] as const)('%j: all failed', (outcome) => {
    expect(failed(outcome)).toEqual(BATCH);
    expect(failed(outcome, false)).toEqual(BATCH);
  });
});
