/** What a deployment may choose, from CDK context (`cdk deploy -c name=value`), checked before anything is built. */

/** An R2 bucket in place of S3, so that the edge's binding and the cloud see the same objects. */
export interface R2Settings {
  /** `https://<account>.r2.cloudflarestorage.com` */
  readonly endpoint: string;
  readonly bucket: string;
  /** Name of a Secrets Manager secret: `{"accessKeyId": "…", "secretAccessKey": "…"}`, made before the deployment. */
  readonly credentialsSecret: string;
}

export interface Settings {
  /** Absent: the stack makes an S3 bucket. */
  readonly r2?: R2Settings;
  /** Fleet functions that run at the same time, 2 to 1000 (the limits of an SQS event source). */
  readonly fleetConcurrency: number;
}

/** Below the thousand an account has at first, so that a job cannot starve the API and inference. */
const DEFAULT_FLEET_CONCURRENCY = 50;

export type ContextReader = (key: string) => unknown;

/** @throws RangeError naming the context key, its value and what is allowed */
export function readSettings(context: ContextReader): Settings {
  const r2 = readR2(context);
  return { fleetConcurrency: readConcurrency(context), ...(r2 === undefined ? {} : { r2 }) };
}

function readConcurrency(context: ContextReader): number {
  const value = context('fleetConcurrency') ?? DEFAULT_FLEET_CONCURRENCY;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 2 || number > 1000)
    throw new RangeError(
      `context fleetConcurrency is ${JSON.stringify(value)}; a whole number from 2 to 1000`,
    );
  return number;
}

const R2_KEYS = ['r2Endpoint', 'r2Bucket', 'r2CredentialsSecret'] as const;

/** All three or none: half a configuration is a mistake. */
function readR2(context: ContextReader): R2Settings | undefined {
  const given = R2_KEYS.filter((key) => context(key) !== undefined);
  if (given.length === 0) return undefined;
  const text = (key: (typeof R2_KEYS)[number]): string => {
    const value = context(key);
    if (typeof value === 'string' && value !== '') return value;
    throw new RangeError(`context ${key} is missing: R2 needs ${R2_KEYS.join(', ')} together`);
  };
  const [endpoint, bucket, credentialsSecret] = [
    text('r2Endpoint'),
    text('r2Bucket'),
    text('r2CredentialsSecret'),
  ];
  if (!/^https:\/\/[^/]+$/.test(endpoint))
    throw new RangeError(`context r2Endpoint is ${endpoint}; https://<host> without a path`);
  return { endpoint, bucket, credentialsSecret };
}
