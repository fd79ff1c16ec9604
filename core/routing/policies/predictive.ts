/**
 * The default: the target that is predicted to answer first, see `predict`. Where an estimate is missing the edge is
 * preferred: it is near, and asking it costs nothing more. A target that is not chosen would never be learned about,
 * so a small share of the requests probes it when its estimate is old, it is idle, and the deadline bears the loss.
 */
import { affordable, probeFits } from '../limits.ts';
import { mayFit, type Policy, predict, take, type TargetSnapshot } from '../policy.ts';

/** Milliseconds: an estimate older than this may be wrong. */
export const STALE_MS = 10_000;
/** Share of the requests that probe while there is something to probe. */
export const PROBE_SHARE = 0.02;

export const predictive: Policy = (request, targets, now, random) => {
  const { deadlineMs } = request;
  const [edge] = targets;
  if (edge === undefined) throw new RangeError('targets: must not be empty');
  if (edge.latencyMs === null) return take(edge, 'no-estimate', targets);

  const best = fastest(targets) ?? edge;
  const probe = targets.find(
    (each) =>
      each !== best &&
      isStale(each, now) &&
      probeFits(each, deadlineMs) &&
      affordable(each, targets, deadlineMs),
  );
  if (probe !== undefined && random() < PROBE_SHARE) return take(probe, 'probe', targets);

  const unknown = targets.find(({ latencyMs }) => latencyMs === null);
  if (unknown === undefined)
    return take(best, best.target === 'edge' ? 'edge-faster' : 'cloud-faster', targets);
  // Nothing is predicted of the unknown: better that than a target that is predicted to be too late.
  return mayFit(predict(best), deadlineMs)
    ? take(best, 'no-estimate', targets)
    : take(unknown, 'deadline', targets);
};

/** Of those with an estimate; the first of equals, which is the edge. */
function fastest(targets: readonly TargetSnapshot[]): TargetSnapshot | undefined {
  let best: TargetSnapshot | undefined;
  let least = Infinity;
  for (const each of targets) {
    const { predictedMs } = predict(each);
    if (predictedMs === null || predictedMs >= least) continue;
    best = each;
    least = predictedMs;
  }
  return best;
}

const isStale = ({ inFlight, learnedAt }: TargetSnapshot, now: number): boolean =>
  inFlight === 0 && (learnedAt === null || now - learnedAt > STALE_MS);
