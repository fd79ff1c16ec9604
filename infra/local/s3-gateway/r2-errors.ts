/** R2's errors in S3's words. The binding puts R2's code in parentheses at the end of the message. */
import { messageOf } from '../../../core/errors.ts';
import { S3Error, type S3ErrorCode } from './errors.ts';

/** https://developers.cloudflare.com/r2/api/error-codes/ */
const CODES: Readonly<Record<string, S3ErrorCode>> = {
  '10007': 'NoSuchKey',
  '10011': 'EntityTooSmall',
  '10012': 'MetadataTooLarge',
  '10020': 'KeyTooLongError',
  '10024': 'NoSuchUpload',
  '10025': 'InvalidPart',
  '10029': 'InvalidArgument',
  '10031': 'PreconditionFailed',
  '10037': 'BadDigest',
  '10039': 'InvalidRange',
  '10048': 'InvalidPart', // parts of unequal size, which R2 refuses and S3 takes
  '100100': 'EntityTooLarge',
};

export function asS3Error(thrown: unknown): S3Error {
  if (thrown instanceof S3Error) return thrown;
  const message = messageOf(thrown);
  const code = CODES[/\((\d+)\)\s*$/.exec(message)?.[1] ?? ''];
  return code === undefined
    ? new S3Error('InternalError', `An internal error occurred: ${message}`, thrown)
    : new S3Error(code, undefined, thrown);
}
