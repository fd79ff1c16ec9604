/** Whole optimizer steps, ours and the competitors', on the same batches from the same weights. */
import { table } from '../../../../infra/cli/output.ts';
import { startContender } from '../contenders/start.ts';
import { CONTENDER_NAMES, OURS, type ContenderName } from '../contenders/table.ts';
import { ratios, spread, takeTurns, type Turns } from '../measure.ts';
import { range } from '../print.ts';

/** After as many steps, all must have come to the same loss, or they do not do the same work. */
const STEPS = 50;
/** Relative. Sums are taken in different orders: the losses drift apart, slowly. */
const AGREEMENT = 0.01;

export async function stepsTable(rows: number, turns: Turns): Promise<string> {
  const contenders = CONTENDER_NAMES.map((name) => startContender(name, rows, STEPS));
  try {
    const losses = new Map<ContenderName, number>();
    for (const { name, ask } of contenders) losses.set(name, await ask('train', null));
    checkAgreement(losses);
    const times = await takeTurns(
      contenders.map(({ name, ask }) => ({ name, turn: (milliseconds) => ask('turn', milliseconds) })),
      turns,
    );
    const memory = new Map<ContenderName, number>();
    for (const { name, ask } of contenders) memory.set(name, await ask('memory', null));

    const header = [`forward, backward, Adam; batch ${rows}`, 'STEPS/S', 'MIN..MAX', 'OURS IS', 'MIN..MAX'];
    return table(
      [...header, `LOSS AT ${STEPS}`, 'PEAK RSS'],
      CONTENDER_NAMES.map((name) => {
        const perSecond = spread(times.get(name)!.map((milliseconds) => 1000 / milliseconds));
        const factor = ratios(times.get(name)!, times.get(OURS)!);
        return [
          name,
          perSecond.median.toFixed(0),
          range(perSecond, 0),
          ...(name === OURS ? ['', ''] : [`${factor.median.toFixed(1)} × as fast`, range(factor, 1)]),
          losses.get(name)!.toFixed(4),
          `${memory.get(name)!.toFixed(0)} MB`,
        ];
      }),
    );
  } finally {
    for (const { stop } of contenders) stop();
  }
}

function checkAgreement(losses: ReadonlyMap<ContenderName, number>): void {
  const ours = losses.get(OURS)!;
  for (const [name, loss] of losses)
    if (!(Math.abs(loss - ours) <= AGREEMENT * ours))
      throw new Error(
        `after ${STEPS} steps ${name} has a loss of ${loss}, ours is ${ours}: not the same work`,
      );
}
