/** Every policy by the name that `ROUTING_POLICY`, or a scenario, gives it. */
import type { Policy } from '../policy.ts';
import { leastRequests } from './least-requests.ts';
import { peakEwma } from './peak-ewma.ts';
import { cloudFirst, edgeFirst } from './place-first.ts';
import { predictive } from './predictive.ts';
import { prequal } from './prequal.ts';
import { proportional } from './proportional.ts';
import { random } from './random.ts';
import { roundRobin } from './round-robin.ts';

const TABLE = {
  predictive,
  'edge-first': edgeFirst,
  'cloud-first': cloudFirst,
  random,
  'round-robin': roundRobin,
  proportional,
  'least-requests': leastRequests,
  'peak-ewma': peakEwma,
  prequal,
} as const;

export type PolicyName = keyof typeof TABLE;
/** What a policy remembers is its own: whoever runs one only hands it back. */
export const POLICIES = TABLE as unknown as Readonly<Record<PolicyName, Policy>>;
export const POLICY_NAMES = Object.keys(TABLE) as [PolicyName, ...PolicyName[]];
export const DEFAULT_POLICY: PolicyName = 'predictive';
