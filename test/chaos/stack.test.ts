/** The short form of what `npm run test:chaos` does twenty times: the whole stack is killed while a job runs. */
import { expect, test } from 'vitest';
import { killedStackReport } from './killed-stack.ts';

test(
  'a job whose stack is killed three times ends with the same bytes, and gc takes what that left',
  { timeout: 240_000 },
  async () => {
    const report = await killedStackReport(3, 4, 2);
    console.log(report);
    expect(report).toContain('the same bytes');
  },
);
