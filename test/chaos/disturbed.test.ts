/** Some of the disturbed jobs of `npm run test:chaos`, and that its faults do happen. */
import { expect, test } from 'vitest';
import { STORE_FAULTS } from './faults.ts';
import { JOB_NAMES } from './jobs.ts';
import { describe, runSeeds } from './many.ts';

/** One of each kind. */
const JOBS = JOB_NAMES.length;

test(
  `${JOBS} jobs end with the bytes of the undisturbed one, whatever goes wrong`,
  { timeout: 240_000 },
  async () => {
    const summary = await runSeeds(Array.from({ length: JOBS }, (_, n) => n));
    console.log(describe(summary));
    expect(summary.failures).toEqual([]);
    const { tally } = summary;
    expect(tally.killed / tally.deliveries).toBeGreaterThan(0.25);
    expect(tally.duplicates / tally.deliveries).toBeGreaterThan(0.15);
    expect(tally.atOnce).toBeGreaterThan(0);
    for (const { name } of STORE_FAULTS) expect(tally.faults.get(name), name).toBeGreaterThan(0);
  },
);
