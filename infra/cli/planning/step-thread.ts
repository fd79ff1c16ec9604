/** A thread that takes a job's steps, as a function of the local fleet does: on one thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { localSteps } from '../../../cloud/training/engine/local-steps.ts';
import { loadProgram } from '../../../cloud/training/engine/program.ts';
import type { StepWork } from './steps.ts';

const port = parentPort;
if (port === null) throw new Error('a thread of the command line');
const { graph, parameters, request } = workerData as StepWork;
const program = await loadProgram(graph, parameters);

/** @returns seconds of so many steps */
async function take(steps: number): Promise<number> {
  const began = performance.now();
  await localSteps({ ...request, program, from: 0, to: steps });
  return (performance.now() - began) / 1000;
}

port.on('message', (steps: number) => {
  if (steps > 0) void take(steps).then((seconds) => port.postMessage(seconds));
  else void program.release().then(() => port.close());
});
