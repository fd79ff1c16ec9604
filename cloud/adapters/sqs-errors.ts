/** What can go wrong between us and SQS, as one of two faults: try again, or somebody must repair the deployment. */
import { Fault } from '../../core/errors.ts';

/**
 * Names SQS gives to errors that no retry mends: a missing queue, a missing right, a request we built wrongly.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
 */
const PERMANENT: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'BatchRequestTooLong',
  'CredentialsProviderError',
  'InvalidAddress',
  'InvalidBatchEntryId',
  'InvalidClientTokenId',
  'InvalidMessageContents',
  'InvalidParameterValue',
  'MissingAuthenticationToken',
  'QueueDoesNotExist',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
  'UnsupportedOperation',
]);

/** @param action what was tried, for the message: `send to the task queue` */
export function classifySqsError(thrown: unknown, action: string): Fault {
  if (thrown instanceof Fault) return thrown;
  const name = thrown instanceof Error ? thrown.name : 'unknown error';
  return PERMANENT.has(name)
    ? new Fault('internal', `could not ${action}`, { detail: name, cause: thrown })
    : new Fault('unavailable', `could not ${action}`, { cause: thrown });
}
