import { Command } from 'commander';
import type { JobView } from '../../../core/contracts/job.ts';
import { connect } from '../connection.ts';
import { count, duration, headline, printJson, table } from '../output.ts';
import { progressLine } from '../progress.ts';
import { type ConnectionOptions, withConnection } from './options.ts';
import { outcome } from './train.ts';

export function jobsCommand(): Command {
  const command = new Command('jobs').description('list, show, follow and cancel jobs');

  withConnection(command.command('list', { isDefault: true }).description('the newest jobs')).action(
    async (options: ConnectionOptions) => {
      const { jobs } = await (await connect(options)).jobs();
      if (options.json === true) return printJson(jobs);
      const rows = jobs.map((job) => [
        job.job,
        job.model,
        job.status,
        `${job.round}/${job.rounds}`,
        count(job.samplesPerSecond),
        testFigure(job),
        job.acceptedAt,
      ]);
      console.log(table(['JOB', 'MODEL', 'STATUS', 'ROUND', 'SAMPLES/S', 'TEST', 'ACCEPTED'], rows));
    },
  );

  withConnection(command.command('show').argument('<job>').description('one job')).action(
    async (id: string, options: ConnectionOptions) => {
      const job = await (await connect(options)).job(id);
      if (options.json === true) return printJson(job);
      console.log(progressLine(job));
      if (job.result !== null)
        console.log(`${outcome(job.model, job.result)} after ${duration(job.seconds)}`);
    },
  );

  withConnection(command.command('follow').argument('<job>').description('follow a job to its end')).action(
    async (id: string, options: ConnectionOptions) => {
      const client = await connect(options);
      const { model } = await client.job(id);
      const result = await client.follow(id, (job) => {
        if (options.json !== true) console.log(progressLine(job));
      });
      if (options.json === true) printJson(result);
      else console.log(outcome(model, result));
      if (result.status !== 'succeeded') process.exitCode = 1;
    },
  );

  withConnection(
    command.command('cancel').argument('<job>').description('end a job, releasing nothing'),
  ).action(async (id: string, options: ConnectionOptions) => {
    const job = await (await connect(options)).cancelJob(id);
    if (options.json === true) printJson(job);
    else console.log(`${id}: ${job.status}`);
  });
  return command;
}

function testFigure({ result }: Pick<JobView, 'result'>): string {
  return (result?.status === 'succeeded' ? headline(result.metrics) : undefined) ?? '';
}
