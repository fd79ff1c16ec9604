/** A job to plan, of figures that are easy to reckon with. */
import { TrainSpec, type TrainRequest } from '../../../core/contracts/job.ts';
import { measureExchange } from '../../../core/planning/exchange.ts';
import { type Job, type Workload, workloadOf } from '../../../core/planning/workload.ts';

export const specOf = (given: Partial<TrainRequest> = {}): TrainSpec =>
  TrainSpec.parse({
    kind: 'train',
    model: { name: 'm', graph: '0'.repeat(64) },
    dataset: { name: 'd', version: 1 },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
    optimizer: { kind: 'adam', learningRate: 0.001 },
    batchSize: 16,
    ...given,
  });

export const jobOf = (spec: TrainSpec, length = 2_000): Job => ({
  spec,
  files: Array.from({ length: 16 }, () => ({ rows: 4_096, bytes: 500_000 })),
  testFiles: [{ rows: 1_000, bytes: 100_000 }],
  parameters: [{ name: 'w', shape: [length], offset: 0, length }],
  graphBytes: 50_000,
  forwardBytes: 100_000,
  seconds: { step: 0.05, load: 0.2, plan: 0.3, release: 1 },
});

/** Time stands still: what a merge computes is nothing. */
export async function workload(given: Partial<TrainRequest> = {}, length?: number): Promise<Workload> {
  const spec = specOf(given);
  const job = jobOf(spec, length);
  return workloadOf(job, spec, await measureExchange(spec, job.parameters, () => 0));
}
