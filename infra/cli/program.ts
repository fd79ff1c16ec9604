/** Every command. Exit codes: 0 done, 1 it could not be done, 2 it was asked wrongly, 130 interrupted. */
import { Command, CommanderError } from 'commander';
import { Fault } from '../../core/errors.ts';
import { batchCommand, evaluateCommand, mapCommand } from './commands/batch.ts';
import { buildCommand } from './commands/build.ts';
import { explainCommand } from './commands/explain.ts';
import { gcCommand } from './commands/gc.ts';
import { gradcheckCommand } from './commands/gradcheck.ts';
import { gradientsCommand } from './commands/gradients.ts';
import { hardExamplesCommand } from './commands/hard-examples.ts';
import { importCommand } from './commands/import/command.ts';
import { jobsCommand } from './commands/jobs.ts';
import { modelsCommand } from './commands/models.ts';
import { planCommand } from './commands/plan.ts';
import { predictCommand } from './commands/predict.ts';
import { quantizeCommand } from './commands/quantize.ts';
import { simulateCommand } from './commands/simulate.ts';
import { trainCommand } from './commands/train.ts';
import { upCommand } from './commands/up.ts';

const program = new Command('causeway')
  .description('Train on a queue-driven fleet, serve at the edge, route every request.')
  .addCommand(upCommand())
  .addCommand(importCommand())
  .addCommand(buildCommand())
  .addCommand(planCommand())
  .addCommand(trainCommand())
  .addCommand(batchCommand())
  .addCommand(evaluateCommand())
  .addCommand(mapCommand())
  .addCommand(jobsCommand())
  .addCommand(predictCommand())
  .addCommand(explainCommand())
  .addCommand(modelsCommand())
  .addCommand(hardExamplesCommand())
  .addCommand(gcCommand())
  .addCommand(quantizeCommand())
  .addCommand(gradientsCommand())
  .addCommand(gradcheckCommand())
  .addCommand(simulateCommand())
  .exitOverride();
for (const command of program.commands) {
  command.exitOverride();
  for (const sub of command.commands) sub.exitOverride();
}

/** What the operating system refused says what and where: its stack tells a user nothing. */
const isOfSystem = (thrown: unknown): thrown is NodeJS.ErrnoException =>
  thrown instanceof Error && 'syscall' in thrown;

/** The command line's own mistakes and refused input are the user's to mend (2); everything else is not (1). */
function exitCode(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  if (thrown instanceof Fault) {
    // Whoever runs a command has the store's keys: it is for them to mend.
    console.error(`causeway: ${[thrown.message, thrown.detail ?? []].flat().join(': ')}`);
    return thrown.retryable ? 1 : 2;
  }
  console.error(isOfSystem(thrown) ? `causeway: ${thrown.message}` : thrown);
  return 1;
}

try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = exitCode(thrown);
}
