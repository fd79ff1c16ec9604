/** Event files of a job: written anew, then appended to while it runs, as TensorBoard reads them. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainView } from '../../core/contracts/job.ts';
import { encodeScalars, encodeVersion, eventFileName } from '../../core/tensorboard/event.ts';
import { trainingRuns } from '../../core/tensorboard/training-runs.ts';
import { makeFolder } from './folder.ts';

const RUNS = ['train', 'test'] as const;

export interface EventFiles {
  /** Of the job: a folder for each run. */
  readonly folder: string;
  /** Points written. */
  readonly points: number;
  /** Appends what is new. */
  add(view: TrainView): Promise<void>;
}

/** @param out each job gets a folder in it, named by model and job */
export function eventFiles(out: string, { job, model, acceptedAt }: TrainView): EventFiles {
  const folder = join(out, `${model}-${job}`);
  const since = Date.parse(acceptedAt);
  const written = { train: 0, test: 0 };
  return {
    folder,
    get points() {
      return written.train + written.test;
    },
    async add(view) {
      const runs = trainingRuns(view);
      for (const run of RUNS) {
        const points = runs[run].slice(written[run]);
        if (points.length === 0) continue;
        const file = join(folder, run, eventFileName(since, job));
        if (written[run] === 0) {
          await makeFolder('out', join(folder, run));
          // What an earlier command wrote here was the same job's.
          await writeFile(file, encodeVersion(since));
        }
        await appendFile(file, Buffer.concat(points.map(encodeScalars)));
        written[run] += points.length;
      }
    },
  };
}
