/** Runs local steps in a worker thread, for engine.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  localSteps,
  type LocalStepsRequest,
  type LocalStepsResult,
} from '../../cloud/training/engine/local-steps.ts';
import { loadProgram } from '../../cloud/training/engine/program.ts';
import type { ParameterSlot } from '../../core/contracts/job.ts';

export interface WorkerOrder {
  readonly graph: Uint8Array<ArrayBuffer>;
  readonly parameters: readonly ParameterSlot[];
  readonly request: Omit<LocalStepsRequest, 'program'>;
}

export type WorkerAnswer = LocalStepsResult;

const { graph, parameters, request } = workerData as WorkerOrder;
const program = await loadProgram(graph, parameters);
const answer: WorkerAnswer = await localSteps({ ...request, program });
await program.release();
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort?.postMessage(answer);
