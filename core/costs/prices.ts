/**
 * Prices in US dollars, and what usage costs by them. List prices of us-east-1 (Lambda arm64, SQS standard, S3
 * standard) and of Cloudflare R2 (standard), November 2026, without free tiers, volume discounts, storage and taxes:
 * https://aws.amazon.com/lambda/pricing/, …/sqs/pricing/, …/s3/pricing/, https://developers.cloudflare.com/r2/pricing/
 */
import type { Usage } from '../contracts/usage.ts';

export interface Prices {
  readonly gbSecond: number;
  readonly invocation: number;
  readonly queueRequest: number;
  readonly write: number;
  readonly read: number;
}

const FLEET = { gbSecond: 1.33334e-5, invocation: 2e-7, queueRequest: 4e-7 };

/** By where the bucket lies. */
export const PRICES = {
  s3: { ...FLEET, write: 5e-6, read: 4e-7 },
  r2: { ...FLEET, write: 4.5e-6, read: 3.6e-7 },
} as const satisfies Record<string, Prices>;

export function dollars(usage: Usage, prices: Prices): number {
  return (
    usage.gbSeconds * prices.gbSecond +
    usage.invocations * prices.invocation +
    usage.queueRequests * prices.queueRequest +
    usage.writes * prices.write +
    usage.reads * prices.read
  );
}
