/** The edge, unless it is predicted past the deadline and another target is not: the baseline that does not compare. */
import { mayFit, type Policy, predict, take } from '../policy.ts';

export const edgeFirst: Policy = ({ deadlineMs }, targets) => {
  const [edge] = targets;
  if (edge === undefined) throw new RangeError('targets: must not be empty');
  if (mayFit(predict(edge), deadlineMs)) return take(edge, 'edge-first', targets);
  const other = targets.find((each) => mayFit(predict(each), deadlineMs));
  return other === undefined ? take(edge, 'edge-first', targets) : take(other, 'deadline', targets);
};
