import { expect, it } from 'vitest';
import type { Explanation } from '../../../core/contracts/explanation.ts';
import { explanationText } from '../../../infra/cli/explanation.ts';
import { zeroRequest } from '../../../infra/cli/zeros.ts';

const TARGET = {
  target: 'edge',
  place: 'edge',
  health: 'healthy',
  inFlight: 1,
  lanes: 1,
  busy: 0.25,
  cost: 0,
  parts: { network: 0, queue: 0.5, service: 1.25, cold: 0 },
  predictedMs: 1.75,
  p95Ms: 2.5,
  learnedMsAgo: 10,
  inTime: 'surely',
  score: 2,
  excluded: null,
} as const;
const ATTEMPT = {
  target: 'edge',
  reason: 'edge-faster',
  atMs: 0,
  limitMs: 9751.4,
  predictedMs: 1.75,
  actualMs: 3.1372,
  result: 'failed',
  serviceMs: null,
  inFlight: null,
  cold: null,
} as const;
const DECISION = {
  kind: 'first',
  atMs: 0,
  leftMs: 10_000,
  target: 'edge',
  reason: 'edge-faster',
  shadow: 'cloud',
  outOfBudget: false,
  refused: null,
} as const;
const UNKNOWN = { parts: null, predictedMs: null, p95Ms: null, score: null, inTime: 'unknown' } as const;
const EXPLANATION: Explanation = {
  model: 'm',
  policy: 'predictive',
  bytes: 100,
  deadlineMs: 10_000,
  pin: null,
  decisions: [
    { ...DECISION, targets: [TARGET, { ...TARGET, ...UNKNOWN, target: 'cloud' }] },
    {
      ...DECISION,
      kind: 'fallback',
      target: 'cloud',
      reason: 'fallback',
      shadow: null,
      targets: [{ ...TARGET, excluded: 'tried' }],
    },
  ],
  attempts: [
    ATTEMPT,
    { ...ATTEMPT, target: 'cloud', reason: 'fallback', result: 'answered', serviceMs: 2, cold: true },
  ],
  target: 'cloud',
  reason: 'fallback',
  status: 200,
  actualMs: 12.345,
};

it('an explanation reads as tables', () => {
  expect(explanationText(EXPLANATION, 20)).toBe(
    [
      'm: answered by cloud (fallback) with 200 in 12.3 ms in the router, 20 ms seen from here',
      'policy predictive, deadline 10000 ms, 100 bytes',
      '',
      'first decision at 0 ms, 10000 ms left: edge, edge-faster; a copy to cloud, to learn from',
      'TARGET  HEALTH   IN FLIGHT  BUSY  COST  NETWORK  QUEUE  SERVICE  COLD  PREDICTED  P95  SCORE  VERDICT',
      'edge    healthy  1/1        25 %     0  0        0.5    1.25     0     1.75       2.5  2      chosen: edge-faster',
      'cloud   healthy  1/1        25 %     0  -        -      -        -     -          -    -      copy, nothing is known',
      '',
      'fallback decision at 0 ms, 10000 ms left: cloud, fallback',
      'TARGET  HEALTH   IN FLIGHT  BUSY  COST  NETWORK  QUEUE  SERVICE  COLD  PREDICTED  P95  SCORE  VERDICT',
      'edge    healthy  1/1        25 %     0  0        0.5    1.25     0     1.75       2.5  2      excluded: tried',
      '',
      'SENT TO  REASON       AT  LIMIT  PREDICTED  ACTUAL  IN TARGET  RESULT',
      'edge     edge-faster  0   9751   1.75       3.14    -          failed',
      'cloud    fallback     0   9751   1.75       3.14    2          answered, cold',
      '',
      'times in milliseconds',
    ].join('\n'),
  );
});

it('a refusal, and a second attempt that was not sent, are told as that', () => {
  const none = { target: null, reason: null, shadow: null, targets: [] };
  const hedge: Explanation['decisions'][number] = { ...DECISION, ...none, kind: 'hedge' };
  const text = explanationText(
    {
      ...EXPLANATION,
      pin: 'edge',
      target: null,
      reason: null,
      status: 503,
      decisions: [
        hedge,
        { ...hedge, outOfBudget: true },
        { ...hedge, kind: 'first' },
        { ...hedge, kind: 'first', refused: 'late' },
      ],
    },
    1,
  );
  expect(text).toMatch(/^m: refused by the router with 503/);
  expect(text).toMatch(/pinned to edge/);
  expect(text).toMatch(/hedge decision .*: not sent\n/);
  expect(text).toMatch(/: not sent, the budget for second attempts is spent\n/);
  expect(text).toMatch(/first decision .*: no target is left\n/);
  expect(text).toMatch(/first decision .*: refused: late\n/);
});

it('zeros are as the metadata has them, one where any size goes', () => {
  expect(
    JSON.parse(
      zeroRequest([
        { name: 'x', datatype: 'FP32', shape: [-1, 2, 2] },
        { name: 'mask', datatype: 'BOOL', shape: [2] },
        { name: 'scalar', datatype: 'INT64', shape: [] },
      ]),
    ),
  ).toEqual({
    inputs: [
      { name: 'x', shape: [1, 2, 2], datatype: 'FP32', data: [0, 0, 0, 0] },
      { name: 'mask', shape: [2], datatype: 'BOOL', data: [false, false] },
      { name: 'scalar', shape: [], datatype: 'INT64', data: [0] },
    ],
  });
  const zeros = (datatype: string, shape: number[]) => () => zeroRequest([{ name: 'x', datatype, shape }]);
  const refusal = expect.objectContaining({ code: 'unprocessable', field: 'input' });
  expect(zeros('BYTES', [1])).toThrow(refusal);
  expect(zeros('FP32', [3000, 3000])).toThrow(refusal);
});
