import type { Policy } from '../policy.ts';

/** In turn; the memory is the turn. */
export const roundRobin: Policy<number> = {
  source: 'RFC 1794',
  initial: 0,
  choose: ({ targets }, turn) => ({
    target: targets[turn % targets.length]!,
    reason: 'turn',
    memory: (turn + 1) % Number.MAX_SAFE_INTEGER,
  }),
};
