/** What a request says of its own signature, in the Authorization header or in the query of a presigned URL. */
import { S3Error } from './errors.ts';
import { param, type S3Request } from './request.ts';

/** AWS's own limit: a presigned URL lives a week at most. */
const MAX_EXPIRES_S = 7 * 24 * 3600;
const ALGORITHM = 'AWS4-HMAC-SHA256';

export interface Claim {
  readonly accessKeyId: string;
  /** `20260101/us-east-1/s3/aws4_request` */
  readonly scope: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `20260101T000000Z` */
  readonly amzDate: string;
  readonly payloadHash: string;
  /** Of a presigned URL. */
  readonly expiresS: number | undefined;
}

type Form = 'AuthorizationHeaderMalformed' | 'AuthorizationQueryParametersError';

function splitCredential(credential: string, form: Form): { accessKeyId: string; scope: string } {
  const match = /^([^/]+)\/(\d{8}\/[^/]+\/s3\/aws4_request)$/.exec(credential);
  const [, accessKeyId, scope] = match ?? [];
  if (accessKeyId === undefined || scope === undefined) {
    throw new S3Error(
      form,
      `the credential is ${credential}: KEY/yyyymmdd/REGION/s3/aws4_request is allowed`,
    );
  }
  return { accessKeyId, scope };
}

const splitHeaders = (list: string) => list.toLowerCase().split(';').sort();

/** @throws S3Error where the header is malformed */
export function headerClaim(request: S3Request, authorization: string): Claim {
  const form = 'AuthorizationHeaderMalformed';
  const fields = new Map(
    authorization
      .slice(ALGORITHM.length)
      .split(',')
      .map((field) => {
        const at = field.indexOf('=');
        return [field.slice(0, Math.max(at, 0)).trim(), field.slice(at + 1).trim()] as const;
      }),
  );
  const [credential, signed, signature] = ['Credential', 'SignedHeaders', 'Signature'].map((name) =>
    fields.get(name),
  );
  if (!authorization.startsWith(`${ALGORITHM} `) || !credential || !signed || !signature) {
    throw new S3Error(
      form,
      `the authorization header must be ${ALGORITHM} with Credential, SignedHeaders, Signature`,
    );
  }
  const payloadHash = request.headers.get('x-amz-content-sha256');
  if (payloadHash === null)
    throw new S3Error('InvalidRequest', 'Missing required header: x-amz-content-sha256');
  return {
    ...splitCredential(credential, form),
    signedHeaders: splitHeaders(signed),
    signature,
    amzDate: request.headers.get('x-amz-date') ?? '',
    payloadHash,
    expiresS: undefined,
  };
}

/** @throws S3Error where a parameter is missing or malformed */
export function queryClaim(request: S3Request): Claim {
  const form = 'AuthorizationQueryParametersError';
  const value = (name: string) => {
    const text = param(request, name);
    if (text === undefined || text === '') throw new S3Error(form, `${name} is missing`);
    return text;
  };
  if (value('X-Amz-Algorithm') !== ALGORITHM) throw new S3Error(form, `X-Amz-Algorithm must be ${ALGORITHM}`);
  const expiresS = Number(value('X-Amz-Expires'));
  if (!Number.isInteger(expiresS) || expiresS < 1 || expiresS > MAX_EXPIRES_S) {
    throw new S3Error(form, `X-Amz-Expires must be a whole number of seconds from 1 to ${MAX_EXPIRES_S}`);
  }
  return {
    ...splitCredential(value('X-Amz-Credential'), form),
    signedHeaders: splitHeaders(value('X-Amz-SignedHeaders')),
    signature: value('X-Amz-Signature'),
    amzDate: value('X-Amz-Date'),
    payloadHash:
      param(request, 'X-Amz-Content-Sha256') ??
      request.headers.get('x-amz-content-sha256') ??
      'UNSIGNED-PAYLOAD',
    expiresS,
  };
}
