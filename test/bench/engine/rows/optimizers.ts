/** The optimizer's update alone. */
import { createWorkspace } from '../../../../cloud/training/engine/workspace.ts';
import { createRandom } from '../../../../core/random.ts';
import { table } from '../../../../infra/cli/output.ts';
import { repeat, spread, takeTurns, type Turns } from '../measure.ts';
import { range } from '../print.ts';
import { OPTIMIZER } from '../training.ts';

const LENGTH = 1_000_000;
const OPTIMIZERS = {
  adam: OPTIMIZER,
  'sgd with momentum': { kind: 'sgd', learningRate: 0.01, momentum: 0.9 },
} as const;

export async function optimizersTable(turns: Turns): Promise<string> {
  const random = createRandom(0);
  const times = await takeTurns(
    Object.entries(OPTIMIZERS).map(([name, spec]) => {
      const { parameters, gradient, update } = createWorkspace(spec, LENGTH);
      for (let i = 0; i < LENGTH; i++)
        [parameters[i], gradient[i]] = [random.uniform(), random.uniform() - 0.5];
      let step = 0;
      return { name, turn: repeat(() => Promise.resolve(update(step++, 1e-6))) };
    }),
    turns,
  );
  return table(
    ['update of a million parameters', 'MS', 'MIN..MAX'],
    [...times].map(([name, milliseconds]) => {
      const { median, ...rest } = spread(milliseconds);
      return [name, median.toFixed(2), range({ median, ...rest }, 2)];
    }),
  );
}
