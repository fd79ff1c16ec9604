/** The same for many jobs, a few at a time: what goes wrong with one is told, and keeps nobody from the others. */
import { inFull } from '../errors.ts';

/** Each reads a few objects. */
const AT_ONCE = 8;

/** A job that it could not be done for. */
export interface JobFault {
  readonly job: string;
  readonly thrown: unknown;
}

/** For operators. */
export const faultReason = ({ thrown }: JobFault): string => inFull(thrown);

/** @returns the jobs for which it was thrown, in the order in which that was seen */
export async function forEachJob(
  jobs: readonly string[],
  act: (job: string) => Promise<void>,
): Promise<JobFault[]> {
  const faults: JobFault[] = [];
  const left = [...jobs].values();
  const work = async () => {
    for (const job of left)
      try {
        await act(job);
      } catch (thrown) {
        faults.push({ job, thrown });
      }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return faults;
}
