/** `npm run test:chaos`: many disturbed jobs, or with `--seed N` one of them; `--jobs N` for another number. */
import { parseArgs } from 'node:util';
import { describe, runSeeds } from './many.ts';
import { nameOf } from './run.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, jobs: { type: 'string', default: '200' } },
});
const seeds =
  values.seed === undefined
    ? Array.from({ length: Number(values.jobs) }, (_, n) => n)
    : [Number(values.seed)];

// Jobs that are to fail say so on standard error, line by line: here that is what is expected.
console.error = () => undefined;
const began = performance.now();
const summary = await runSeeds(seeds, (seed, failure) => {
  if (failure !== undefined || values.seed !== undefined)
    console.log(`seed ${seed} (${nameOf(seed)}): ${failure ?? 'the bytes of the undisturbed job'}`);
});
console.log(describe(summary));
console.log(`${((performance.now() - began) / 1000).toFixed(0)} s`);
if (summary.failures.length > 0) process.exitCode = 1;
