/** What can go wrong between us and an S3 service, as a Fault: try again, or somebody must repair the deployment. */
import { Fault } from '../../core/errors.ts';
import { storeFault } from '../../core/storage/faults.ts';

/** What it means: told to clients where they asked for what cannot be, to operators alone where the deployment is wrong. */
type Known = readonly ['internal' | 'invalid' | 'too_large' | 'unavailable', string];

/**
 * By S3's error code, then by HTTP status; anything else is `unavailable`.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
const BY_NAME: Readonly<Record<string, Known>> = {
  AccessDenied: ['internal', 'the credentials have no right to it'],
  AuthorizationHeaderMalformed: ['internal', 'the credentials or the region are wrong'],
  CredentialsProviderError: ['internal', 'there are no credentials'],
  EntityTooLarge: ['too_large', 'the object is too large'],
  ExpiredToken: ['internal', 'the credentials have expired'],
  InvalidAccessKeyId: ['internal', 'the credentials are wrong: unknown access key id'],
  InvalidRange: ['invalid', 'the range is outside the object'],
  KeyTooLongError: ['invalid', 'the key is longer than 1024 bytes'],
  NoSuchBucket: ['internal', 'there is no such bucket'],
  RequestTimeTooSkewed: ['internal', 'the clock of this machine is wrong'],
  SignatureDoesNotMatch: ['internal', 'the credentials are wrong: the secret does not fit the access key id'],
};
/** HEAD has no body, so no error code: the status says what it can. */
const BY_STATUS: Readonly<Record<number, Known>> = {
  400: ['internal', 'the service does not understand the request'],
  401: ['internal', 'the credentials are wrong'],
  403: ['internal', 'the credentials are wrong or have no right to it'],
  416: ['invalid', 'the range is outside the object'],
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** HTTP status of what the SDK threw; undefined where no answer came. */
export function s3Status(thrown: unknown): number | undefined {
  const metadata = isObject(thrown) ? thrown['$metadata'] : undefined;
  const status = isObject(metadata) ? metadata['httpStatusCode'] : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** S3's error code: `NoSuchKey`, `PreconditionFailed`, … */
export const s3Code = (thrown: unknown): string => (thrown instanceof Error ? thrown.name : 'UnknownError');

/** @param action what was tried, for operators: `put jobs/job_1/spec.json` */
export function classifyS3Error(thrown: unknown, action: string): Fault {
  if (thrown instanceof Fault) return thrown;
  const name = s3Code(thrown);
  const status = s3Status(thrown);
  const known = BY_NAME[name] ?? (status === undefined ? undefined : BY_STATUS[status]);
  const [code, meaning] = known ?? ['unavailable', `the bucket cannot be reached now (${name})`];
  const detail = `could not ${action}: ${meaning}`;
  if (code === 'internal' || code === 'unavailable') return storeFault(code, detail, thrown);
  return new Fault(code, meaning, { detail, cause: thrown, ...(status === 416 ? { field: 'range' } : {}) });
}
