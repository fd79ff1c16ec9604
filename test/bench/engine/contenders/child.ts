/**
 * A contender's process: a runtime's globals, heap and peak memory stay its own. It works only when asked to, so that
 * one contender runs at a time.
 */
import { mnistBatches } from '../data.ts';
import { repeat } from '../measure.ts';
import { firstWeights, perceptron } from '../training.ts';
import type { CreateTrainer } from '../trainer.ts';
import { CONTENDERS, type ContenderName } from './table.ts';

export interface Requests {
  /** Trains on every batch once. @returns the mean loss of the last five steps */
  readonly train: null;
  /** @returns milliseconds of a step */
  readonly turn: number;
  /** @returns megabytes, at most so far */
  readonly memory: null;
}

const [, , name, rows, count] = process.argv;
const { create } = (await import(
  new URL(`../${CONTENDERS[name as ContenderName]}`, import.meta.url).href
)) as { create: CreateTrainer };
const batches = await mnistBatches(Number(rows), Number(count));
const trainer = await create(firstWeights(await perceptron()));
let next = 0;

async function train(): Promise<number> {
  const losses: number[] = [];
  for (const batch of batches) losses.push(await trainer.step(batch));
  const last = losses.slice(-5);
  return last.reduce((sum, loss) => sum + loss, 0) / last.length;
}

const answers: { readonly [K in keyof Requests]: (argument: Requests[K]) => Promise<number> } = {
  train,
  turn: repeat(() => trainer.step(batches[next++ % batches.length]!)),
  // getrusage(2) counts in kilobytes; Node does so on every platform.
  memory: () => Promise.resolve(process.resourceUsage().maxRSS / 1024),
};

process.on('message', ([kind, argument]: [keyof Requests, never]) => {
  void answers[kind](argument).then((value) => process.send?.(value));
});
