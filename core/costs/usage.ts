import type { Usage } from '../contracts/usage.ts';

export const NO_USAGE: Usage = {
  functionSeconds: 0,
  gbSeconds: 0,
  invocations: 0,
  queueRequests: 0,
  writes: 0,
  reads: 0,
};

export function addUsage(...parts: readonly Usage[]): Usage {
  const sum = (of: (usage: Usage) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    functionSeconds: sum(({ functionSeconds }) => functionSeconds),
    gbSeconds: sum(({ gbSeconds }) => gbSeconds),
    invocations: sum(({ invocations }) => invocations),
    queueRequests: sum(({ queueRequests }) => queueRequests),
    writes: sum(({ writes }) => writes),
    reads: sum(({ reads }) => reads),
  };
}

/** @param part of `whole` that is told elsewhere */
export const usageBeyond = (whole: Usage, part: Usage): Usage => ({
  functionSeconds: Math.max(0, whole.functionSeconds - part.functionSeconds),
  gbSeconds: Math.max(0, whole.gbSeconds - part.gbSeconds),
  invocations: Math.max(0, whole.invocations - part.invocations),
  queueRequests: Math.max(0, whole.queueRequests - part.queueRequests),
  writes: Math.max(0, whole.writes - part.writes),
  reads: Math.max(0, whole.reads - part.reads),
});

/** Everything that is paid by the piece. */
export const requestsOf = ({ invocations, queueRequests, writes, reads }: Usage): number =>
  invocations + queueRequests + writes + reads;
