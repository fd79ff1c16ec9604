/** What differs between the kinds of jobs that are split, executed and merged; the protocol is the same for all. */
import type { FanOutPlan, FanOutResult, OutputManifest, PartReport } from '../contracts/fan-out.ts';

export interface FanOutWork {
  /**
   * Does one part. A pure function of the plan and the part, so that any number of executions come to the same; what
   * it stores is create-only.
   */
  execute(plan: FanOutPlan, part: number): Promise<PartReport>;
  /** Makes one whole of the parts' reports, which come in order, one of each. Pure. */
  merge(plan: FanOutPlan, reports: readonly PartReport[]): Merged;
}

export interface Merged {
  /** What the job succeeded with, besides rows and files, which follow from the parts. */
  readonly figures: Pick<Extract<FanOutResult, { status: 'succeeded' }>, 'metrics' | 'failed'>;
  /** Absent where the job gives no files. */
  readonly manifest?: OutputManifest;
}

/** Rows, or items, of a whole job. */
export const rowsOfPlan = ({ parts }: Pick<FanOutPlan, 'parts'>): number => parts.at(-1)?.end ?? 0;
