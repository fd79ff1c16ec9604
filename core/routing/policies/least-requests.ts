import { memoryless, sampleTwo } from '../policy.ts';

/** Of two at random the one with fewer requests in flight. */
export const leastRequests = memoryless(
  'Mitzenmacher 2001, "The power of two choices in randomized load balancing", IEEE TPDS 12(10)',
  ({ targets, random }) => {
    const [a, b] = sampleTwo(targets, random);
    return { target: b.inFlight < a.inFlight ? b : a, reason: 'least-requests' };
  },
  { score: ({ inFlight }) => inFlight },
);
