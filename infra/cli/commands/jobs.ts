import { Command } from 'commander';
import type { JobView } from '../../../core/contracts/job.ts';
import type { Spent } from '../../../core/contracts/usage.ts';
import { requestsOf } from '../../../core/costs/usage.ts';
import { connect } from '../connection.ts';
import { count, duration, headline, printJson, table } from '../output.ts';
import { progressLine, trafficLine } from '../progress.ts';
import { type ConnectionOptions, withConnection } from './options.ts';
import { type LimitOptions, limitsOf, withLimits } from './train/limits.ts';
import { outcome } from './train.ts';

export function jobsCommand(): Command {
  const command = new Command('jobs').description(
    'list, show, follow, pause, resume, redrive and cancel jobs',
  );

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
      const traffic = trafficLine(job);
      if (traffic !== undefined) console.log(traffic);
      if (job.spent !== undefined) console.log(spentLine(job.spent));
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
    shown(id, options, job);
  });

  const acting = (name: 'pause' | 'resume', description: string) =>
    withConnection(command.command(name).argument('<job>').description(description)).action(
      async (id: string, options: ConnectionOptions) => shown(id, options, await act(options, id, name)),
    );
  acting('pause', 'let what runs finish, begin nothing more');
  acting('resume', 'go on with what was paused; on a running job: announce again what is missing');

  withConnection(
    withLimits(
      command
        .command('redrive')
        .argument('<job>')
        .description('go on with a job that failed or was stopped; its dead letters are taken out'),
    ),
  ).action(async (id: string, options: ConnectionOptions & LimitOptions) =>
    shown(id, options, await act(options, id, 'redrive', limitsOf(options))),
  );
  return command;
}

async function act(
  options: ConnectionOptions,
  id: string,
  action: 'pause' | 'resume' | 'redrive',
  body: unknown = {},
): Promise<JobView> {
  return (await connect(options)).actOnJob(id, action, body);
}

function shown(id: string, options: ConnectionOptions, job: JobView): void {
  if (options.json === true) printJson(job);
  else console.log(`${id}: ${job.status}`);
}

function spentLine(spent: Spent): string {
  const requests = `${count(requestsOf(spent))} requests`;
  return `spent: ${duration(spent.functionSeconds)} of functions, ${requests}, ${spent.dollars.toPrecision(3)} dollars`;
}

function testFigure({ result }: Pick<JobView, 'result'>): string {
  return (result?.status === 'succeeded' ? headline(result.metrics) : undefined) ?? '';
}
