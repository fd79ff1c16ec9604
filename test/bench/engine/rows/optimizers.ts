/** The optimizer's update alone. */
import { createWorkspace } from '../../../../cloud/training/engine/workspace.ts';
import { OptimizerSpec } from '../../../../core/contracts/optimizer.ts';
import { createRandom } from '../../../../core/random.ts';
import { table } from '../../../../infra/cli/output.ts';
import { repeat, spread, takeTurns, type Turns } from '../measure.ts';
import { range } from '../print.ts';

const LENGTH = 1_000_000;
const OPTIMIZERS: readonly OptimizerSpec[] = [
  { kind: 'sgd' },
  { kind: 'sgd', momentum: 0.9 },
  { kind: 'adam' },
  { kind: 'adamw' },
  { kind: 'adagrad' },
  { kind: 'lion' },
].map((spec) => OptimizerSpec.parse(spec));

const nameOf = (spec: OptimizerSpec) =>
  spec.kind === 'sgd' && spec.momentum > 0 ? 'sgd with momentum' : spec.kind;

export async function optimizersTable(turns: Turns): Promise<string> {
  const times = await takeTurns(
    OPTIMIZERS.map((optimizer) => {
      const { parameters, gradient, update } = createWorkspace({ optimizer, length: LENGTH });
      const random = createRandom(0);
      for (let i = 0; i < LENGTH; i++)
        [parameters[i], gradient[i]] = [random.uniform(), random.uniform() - 0.5];
      let step = 0;
      return {
        name: nameOf(optimizer),
        turn: repeat(() => Promise.resolve(update(step++, optimizer.learningRate))),
      };
    }),
    turns,
  );
  return table(
    ['update of a million parameters', 'MS', 'MIN..MAX'],
    [...times].map(([name, milliseconds]) => {
      const each = spread(milliseconds);
      return [name, each.median.toFixed(2), range(each, 2)];
    }),
  );
}
