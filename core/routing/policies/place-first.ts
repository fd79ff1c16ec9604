/** One place, unless it is predicted past the deadline and another target is not: baselines that do not compare. */
import { mayFit, memoryless, type Policy, predict, type Reason } from '../policy.ts';
import type { Place } from '../targets.ts';

function placeFirst(place: Place, reason: Reason): Policy<null> {
  return memoryless('the usual rule of thumb', ({ request: { deadlineMs }, targets }) => {
    const preferred = targets.filter((each) => each.place === place);
    const others = targets.filter((each) => each.place !== place);
    const fits = [...preferred, ...others].find((each) => mayFit(predict(each), deadlineMs));
    const target = fits ?? preferred[0] ?? targets[0]!;
    return { target, reason: target.place === place ? reason : 'deadline' };
  });
}

export const edgeFirst = placeFirst('edge', 'edge-first');
export const cloudFirst = placeFirst('cloud', 'cloud-first');
