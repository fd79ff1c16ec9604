/** An S3 client for AWS, for R2's S3 endpoint, and for the local gateway: only the environment differs. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import type { Environment } from './environment.ts';
import { keysOf } from './keys.ts';
import { secretCredentials } from './s3-credentials.ts';

/** Milliseconds. A connection that does not open in 3 s is retried; a body may stand still for 30 s, no longer. */
const CONNECTION_TIMEOUT_MS = 3_000;
const SOCKET_TIMEOUT_MS = 30_000;
/** The SDK's own: 50 to 100 ms apart at first, doubling, with jitter, and only where a retry can help. */
const ATTEMPTS = 4;
const CONNECTIONS = 64;

/**
 * - `AWS_REGION`, and credentials from `AWS_ACCESS_KEY_ID` …, or where the SDK looks for them elsewhere (profile, role)
 * - `AWS_ENDPOINT_URL_S3`: another endpoint than AWS's
 * - `CAUSEWAY_S3_CREDENTIALS_ARN`: credentials from Secrets Manager instead, and `CAUSEWAY_S3_REGION`: a region for
 *   this bucket alone (R2's is `auto`); a Lambda function can set neither of the AWS variables itself
 * - `CAUSEWAY_S3_PATH_STYLE=1`: the bucket in the path; an endpoint without wildcard DNS needs it
 */
export function createS3Client(environment: Environment): S3Client {
  const region = environment['CAUSEWAY_S3_REGION'] || environment['AWS_REGION'];
  const credentialsArn = environment['CAUSEWAY_S3_CREDENTIALS_ARN'];
  const endpoint = environment['AWS_ENDPOINT_URL_S3'];
  const agent = { keepAlive: true, maxSockets: CONNECTIONS };
  return new S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined || endpoint === '' ? {} : { endpoint }),
    forcePathStyle: environment['CAUSEWAY_S3_PATH_STYLE'] === '1',
    ...(credentialsArn === undefined || credentialsArn === ''
      ? keysOf(environment)
      : { credentials: secretCredentials(credentialsArn) }),
    // Objects carry SHA-256 in their names or manifests, and R2 knows only some of the SDK's default checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // 100 Continue costs a round trip to spare a body that is nearly always accepted.
    expectContinueHeader: false,
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    },
  });
}
