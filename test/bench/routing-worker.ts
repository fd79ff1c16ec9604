/** Runs simulations for `routing.ts`, one after the other. */
import { readFile } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { atLoad } from '../../core/simulation/load.ts';
import { type Report, reportOf } from '../../core/simulation/report.ts';
import { type Contender, simulate } from '../../core/simulation/run.ts';
import { parseScenario } from '../../core/simulation/parse.ts';
import { scenarioFile } from '../../infra/cli/scenarios.ts';

export interface Task {
  readonly scenario: string;
  readonly contender: Contender;
  readonly seed: number;
  readonly load: number;
  /** Instead of the scenario's. */
  readonly hedging?: boolean;
  /** Attempts at this target are counted, of the requests that come from a time on. */
  readonly count?: { readonly target: string; readonly fromMs: number };
}

export interface Done {
  readonly task: Task;
  readonly report: Report;
  /** Share of the attempts, see {@link Task.count}. */
  readonly counted: number | undefined;
}

export async function run(task: Task): Promise<Done> {
  const file = parseScenario(JSON.parse(await readFile(scenarioFile(task.scenario), 'utf8')));
  const scenario = atLoad({ ...file, hedging: task.hedging ?? file.hedging }, task.load);
  const outcomes = simulate(scenario, task.contender, task.seed);
  const { count } = task;
  if (count === undefined) return { task, report: reportOf(outcomes), counted: undefined };
  const attempts = outcomes
    .filter(({ arrival }) => arrival.at >= count.fromMs)
    .flatMap((outcome) => outcome.attempts);
  const there = attempts.filter((target) => target === count.target).length;
  return { task, report: reportOf(outcomes), counted: there / attempts.length };
}

parentPort?.on('message', (task: Task) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  void run(task).then((done) => parentPort!.postMessage(done));
});
