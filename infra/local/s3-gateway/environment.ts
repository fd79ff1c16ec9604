/** What wrangler.toml and the local stack bind to the gateway. */
export interface GatewayEnvironment {
  readonly BUCKET: R2Bucket;
  readonly OTHERS: R2Bucket;
  /** The S3 name of BUCKET. */
  readonly MAIN_BUCKET: string;
  readonly ACCESS_KEY_ID: string;
  readonly SECRET_ACCESS_KEY: string;
}
