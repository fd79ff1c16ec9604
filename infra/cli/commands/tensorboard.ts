/** `causeway jobs tensorboard`: loss curves of training jobs for TensorBoard. */
import { Command } from 'commander';
import type { TrainView } from '../../../core/contracts/job.ts';
import { Fault } from '../../../core/errors.ts';
import type { Client } from '../client.ts';
import { connect } from '../connection.ts';
import { makeFolder } from '../folder.ts';
import { printJson } from '../output.ts';
import { type EventFiles, eventFiles } from '../tensorboard.ts';
import { type ConnectionOptions, withConnection } from './options.ts';

interface Options extends ConnectionOptions {
  readonly out: string;
  readonly follow?: boolean;
}

export function tensorboardCommand(): Command {
  return withConnection(
    new Command('tensorboard')
      .argument('<job...>', 'training jobs, a folder each: several are drawn into the same charts')
      .description('write event files of what was measured in training, for TensorBoard')
      .requiredOption('--out <folder>', "TensorBoard's --logdir")
      .option('--follow', 'go on writing until the jobs end'),
  ).action(async (jobs: readonly string[], options: Options) => {
    await makeFolder('out', options.out);
    const client = await connect(options);
    const written = await Promise.all(jobs.map((job) => write(client, job, options)));
    if (options.json === true) return printJson(written.map(({ folder, points }) => ({ folder, points })));
    for (const { folder, points } of written) console.log(`${folder}: ${points} points`);
  });
}

async function write(client: Client, job: string, { out, follow }: Options): Promise<EventFiles> {
  const first = await client.any.job(job);
  if (first.kind !== 'train')
    throw new Fault('unprocessable', `${job} is of kind ${first.kind}: only training jobs have a course`, {
      field: 'job',
    });
  const files = eventFiles(out, first);
  await files.add(first);
  if (follow !== true || first.result !== null) return files;
  let last: TrainView = first;
  // One write after the other: a progress event may come while the one before is being written.
  let writing = Promise.resolve();
  await client.follow(job, (view) => {
    last = view;
    writing = writing.then(() => files.add(view));
  });
  await writing;
  await files.add(last);
  return files;
}
