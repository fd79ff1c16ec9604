/** The environment variables of a deployed function, checked once at cold start. The CDK app and the local stack set them. */
import { PRICES, type Prices } from '../../core/costs/prices.ts';
import { Fault } from '../../core/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws Fault `internal` naming the variable: a deployment error, found before the first request. */
export function required(environment: Environment, name: string): string {
  const value = environment[name];
  if (value === undefined || value === '')
    throw new Fault('internal', `environment variable ${name} is not set`);
  return value;
}

/** @param range inclusive @throws Fault `internal` where the value is no whole number in the range */
export function integer(
  environment: Environment,
  name: string,
  { fallback, range }: { readonly fallback: number; readonly range: readonly [number, number] },
): number {
  const text = environment[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  const [low, high] = range;
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new Fault(
      'internal',
      `environment variable ${name} is ${text}; a whole number from ${low} to ${high}`,
    );
  }
  return value;
}

/** Of the fleet, with the bucket it works with. */
export const pricesOf = ({ AWS_ENDPOINT_URL_S3: bucket }: Environment): Prices =>
  PRICES[bucket?.includes('.r2.cloudflarestorage.com') ? 'r2' : 's3'];
