/** The same steps in one process on a machine rented by the hour: no queue, no rounds, no merges. */
import type { Machine, Platform } from './platform.ts';
import { computeSeconds, type Workload } from './workload.ts';

export interface OneMachine {
  readonly seconds: number;
  readonly dollars: number;
}

/** @param workload of the job with any number of shards: all train on as many rows */
export function oneMachine(
  workload: Workload,
  machine: Machine,
  platform: Pick<Platform, 'bytesPerSecond'>,
): OneMachine {
  const { files, testFiles, seconds } = workload;
  const data = [...files, ...testFiles].reduce((sum, { bytes }) => sum + bytes, 0);
  const computing = computeSeconds(workload) + seconds.load + seconds.release;
  const total = machine.start + data / platform.bytesPerSecond.read + computing / machine.speed;
  const paid = Math.max(machine.leastSeconds, Math.ceil(total));
  return { seconds: total, dollars: (paid / 3600) * machine.dollarsPerHour };
}
