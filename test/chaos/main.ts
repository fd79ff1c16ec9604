/**
 * `npm run test:chaos`: many disturbed jobs, then one whose whole stack is killed again and again. `-- --seed N`: one
 * disturbed job; `--jobs N`, `--kills N`: other numbers, 0 for none.
 */
import { parseArgs } from 'node:util';
import { killedStackReport } from './killed-stack.ts';
import { describe, runSeeds } from './many.ts';
import { nameOf } from './run.ts';

const COUNT = /^\d{1,6}$/;

function asked() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      jobs: { type: 'string', default: '200' },
      kills: { type: 'string', default: '20' },
    },
  });
  for (const [name, value] of Object.entries(values))
    if (!COUNT.test(value)) throw new TypeError(`--${name}: ${value} is no whole number`);
  return values;
}

let values;
try {
  values = asked();
} catch (thrown) {
  console.error(`test:chaos: ${(thrown as Error).message}`);
  process.exit(2);
}
/** Of the job whose stack is killed: so many that twenty kills come before its end. */
const EPOCHS = 40;
const KILL_SEED = 1;

const one = values.seed === undefined ? undefined : Number(values.seed);
const seeds = one === undefined ? Array.from({ length: Number(values.jobs) }, (_, n) => n) : [one];
const kills = one === undefined ? Number(values.kills) : 0;

const began = performance.now();
const seconds = () => `${((performance.now() - began) / 1000).toFixed(0)} s`;
if (seeds.length > 0) {
  const summary = await runSeeds(seeds, (seed, failure) => {
    if (failure !== undefined || one !== undefined)
      console.log(`seed ${seed} (${nameOf(seed)}): ${failure ?? 'the bytes of the undisturbed job'}`);
  });
  console.log(`${describe(summary)}\n${seconds()}`);
  if (summary.failures.length > 0) process.exitCode = 1;
}
if (kills > 0) console.log(`${await killedStackReport(kills, EPOCHS, KILL_SEED)}\n${seconds()}`);
