/**
 * Shares by capacity: target i of capacity C_i and availability L_i gets S_i = L_i·C_i / Σ L_j·C_j of the requests.
 * The products L_i·C_i are configured, as a target's `weight`: static, blind to load and latency. As weighted round
 * robin it goes in turn, smoothly, instead of drawing lots.
 */
import { least, type Policy } from '../policy.ts';
import type { TargetId } from '../targets.ts';

/** What each target is owed. */
type Credit = Readonly<Record<TargetId, number>>;

export const proportional: Policy<Credit> = {
  source: 'smooth weighted round robin, as in nginx',
  initial: {},
  choose({ targets }, credit) {
    const total = targets.reduce((sum, { weight }) => sum + weight, 0);
    const owed = new Map(targets.map(({ id, weight }) => [id, (credit[id] ?? 0) + weight]));
    const target = least(targets, ({ id }) => -owed.get(id)!);
    owed.set(target.id, owed.get(target.id)! - total);
    return { target, reason: 'weight', memory: { ...credit, ...Object.fromEntries(owed) } };
  },
};
