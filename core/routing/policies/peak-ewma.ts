import { memoryless, sampleTwo, type TargetSnapshot } from '../policy.ts';

/** An unknown target with requests in flight costs more than any known one, an idle one nothing: it is tried. */
const UNKNOWN_MS = 1e6;

const cost = ({ peakMs, inFlight }: TargetSnapshot): number => {
  if (peakMs === null) return inFlight === 0 ? 0 : UNKNOWN_MS + inFlight;
  return peakMs * (inFlight + 1);
};

/** Of two at random the one of the lower cost, `peak-sensitive ewma × (pending + 1)`. */
export const peakEwma = memoryless(
  'Finagle, com.twitter.finagle.loadbalancer.PeakEwma',
  ({ targets, random }) => {
    const [a, b] = sampleTwo(targets, random);
    return { target: cost(b) < cost(a) ? b : a, reason: 'least-cost' };
  },
  { score: cost },
);
