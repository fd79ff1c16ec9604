/** What an operation is given, by what its URL names. */
import type { GatewayEnvironment } from './environment.ts';
import type { S3Request } from './request.ts';

export interface Bucket {
  readonly name: string;
  readonly r2: R2Bucket;
  /** Before each key in R2; empty for the main bucket. */
  readonly prefix: string;
}

export interface ServiceCall {
  readonly request: S3Request;
  /** Where the body still is. */
  readonly raw: Request;
  /** What the signature says of the body. */
  readonly payloadHash: string;
  readonly environment: GatewayEnvironment;
}

export interface NewBucketCall extends ServiceCall {
  readonly name: string;
}

export interface BucketCall extends ServiceCall {
  readonly bucket: Bucket;
}

export interface ObjectCall extends BucketCall {
  readonly key: string;
}
