/** `causeway up --var NAME:VALUE`: each name goes to who reads it. */
import { expect, test } from 'vitest';
import { cloudVariables, workerVariables } from '../../../infra/local/variables.ts';

test('a variable goes to the Worker that reads it; a value may have colons, the last of one name counts', () => {
  const given = [
    'ROUTING_POLICY:random',
    'CLOUD_REGIONS:{"eu":{"url":"http://127.0.0.1:1"}}',
    'CAUSEWAY_BATCH_ROWS:4',
    'ROUTING_POLICY:prequal',
  ];
  expect(workerVariables(given)).toEqual({
    router: { ROUTING_POLICY: 'prequal', CLOUD_REGIONS: '{"eu":{"url":"http://127.0.0.1:1"}}' },
    inference: { CAUSEWAY_BATCH_ROWS: '4' },
  });
  expect(cloudVariables(['CAUSEWAY_BATCH_ROWS:8'])).toEqual({ CAUSEWAY_BATCH_ROWS: '8' });
});

test.each(['ROUTING_POLICY', 'ROUTING_POLICY=random', 'ROUTING_POLICIES:random', ':random', ''])(
  '%j is refused with what is allowed',
  (text) => {
    expect(() => workerVariables([text])).toThrow(`${text} is not NAME:VALUE with a name of CLOUD_URL, `);
  },
);

test('the cloud does not keep hard examples', () => {
  expect(() => cloudVariables(['CAUSEWAY_HARD_EXAMPLES:1'])).toThrow('CAUSEWAY_BATCH_ROWS');
});
