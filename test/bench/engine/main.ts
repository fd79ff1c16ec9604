/** `npm run bench:engine`: the training engine beside its ceiling and its competitors, one thread each. */
import { cpus } from 'node:os';
import { gradientsTable } from './rows/gradients.ts';
import { networksTable } from './rows/networks.ts';
import { optimizersTable } from './rows/optimizers.ts';
import { stepsTable } from './rows/steps.ts';

const TURNS = { rounds: 15, milliseconds: 150 };

const tables = [
  () => gradientsTable(256, TURNS),
  () => stepsTable(256, TURNS),
  () => stepsTable(32, TURNS),
  () => networksTable(TURNS),
  () => optimizersTable(TURNS),
];
console.log(
  `${cpus()[0]?.model}, Node ${process.version}; CPU time, medians of ${TURNS.rounds} rounds in turns`,
);
for (const make of tables) console.log(`\n${await make()}`);
