/**
 * `npm run bench:engine`: the training engine beside its ceiling and its competitors, one thread each. With
 * `-- operators`: where its time goes, by operator.
 */
import { cpus } from 'node:os';
import { gradientsTable } from './rows/gradients.ts';
import { networksTable } from './rows/networks.ts';
import { operatorsTables, RUNS } from './rows/operators.ts';
import { optimizersTable } from './rows/optimizers.ts';
import { stepsTable } from './rows/steps.ts';

const TURNS = { rounds: 15, milliseconds: 150 };

const comparisons = [
  () => gradientsTable(256, TURNS),
  () => stepsTable(256, TURNS),
  () => stepsTable(32, TURNS),
  () => networksTable(TURNS),
  () => optimizersTable(TURNS),
];
const [tables, measure] =
  process.argv[2] === 'operators'
    ? [[operatorsTables], `ONNX Runtime's profile, medians of ${RUNS} runs`]
    : [comparisons, `CPU time, medians of ${TURNS.rounds} rounds in turns`];
console.log(`${cpus()[0]?.model}, Node ${process.version}; ${measure}`);
for (const make of tables) console.log(`\n${await make()}`);
