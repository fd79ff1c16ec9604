/** Every policy by the name that `ROUTING_POLICY` gives it. */
import type { Policy } from '../policy.ts';
import { edgeFirst } from './edge-first.ts';
import { predictive } from './predictive.ts';

export const POLICIES = {
  predictive,
  'edge-first': edgeFirst,
} as const satisfies Readonly<Record<string, Policy>>;

export type PolicyName = keyof typeof POLICIES;
export const DEFAULT_POLICY: PolicyName = 'predictive';
