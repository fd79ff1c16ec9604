import { Command } from 'commander';
import type { FanOutResult } from '../../../core/contracts/fan-out.ts';
import type { JobList, JobResult, JobView } from '../../../core/contracts/job.ts';
import { connect } from '../connection.ts';
import { fanOutLine, fanOutOutcome } from '../fan-out.ts';
import { count, duration, headline, printJson, table } from '../output.ts';
import { lostLines, progressLine, spentLines, trafficLine } from '../progress.ts';
import { download } from './batch.ts';
import { type ConnectionOptions, withConnection } from './options.ts';
import { type LimitOptions, limitsOf, withLimits } from './train/limits.ts';
import { tensorboardCommand } from './tensorboard.ts';
import { outcome } from './train.ts';

export function jobsCommand(): Command {
  const command = new Command('jobs').description(
    'list, show, follow, pause, resume, redrive and cancel jobs',
  );

  withConnection(command.command('list', { isDefault: true }).description('the newest jobs')).action(
    async (options: ConnectionOptions) => {
      const { jobs, unreadable = [] } = await (await connect(options)).jobs();
      for (const { job, error } of unreadable) console.error(`${job} cannot be shown: ${error}`);
      if (options.json === true) return printJson(jobs);
      const rows = jobs.map((job) => [
        job.job,
        job.kind,
        job.model,
        job.status,
        ...progressCells(job),
        testFigure(job),
        job.acceptedAt,
      ]);
      console.log(table(['JOB', 'KIND', 'MODEL', 'STATUS', 'DONE', 'ROWS/S', 'TEST', 'ACCEPTED'], rows));
    },
  );

  withConnection(command.command('show').argument('<job>').description('one job')).action(
    async (id: string, options: ConnectionOptions) => {
      const job = await (await connect(options)).any.job(id);
      if (options.json === true) return printJson(job);
      console.log(anyProgressLine(job));
      if (job.result !== null) console.log(`${anyOutcome(job, job.result)} after ${duration(job.seconds)}`);
      if (job.kind === 'train') for (const line of lostLines(job)) console.log(line);
      const traffic = job.kind === 'train' ? trafficLine(job) : undefined;
      if (traffic !== undefined) console.log(traffic);
      for (const line of spentLines(job)) console.log(line);
    },
  );

  withConnection(command.command('follow').argument('<job>').description('follow a job to its end')).action(
    async (id: string, options: ConnectionOptions) => {
      const { any } = await connect(options);
      const job = await any.job(id);
      const result = await any.follow(id, (now) => {
        if (options.json !== true) console.log(anyProgressLine(now));
      });
      if (options.json === true) printJson(result);
      else {
        console.log(anyOutcome(job, result));
        if ('lost' in result) for (const line of lostLines(result)) console.log(line);
      }
      if (result.status !== 'succeeded') process.exitCode = 1;
    },
  );

  withConnection(
    command.command('cancel').argument('<job>').description('end a job, releasing nothing'),
  ).action(async (id: string, options: ConnectionOptions) => {
    shown(id, options, await (await connect(options)).any.cancelJob(id));
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

  withConnection(
    command
      .command('download')
      .argument('<job>')
      .description("a job's files, checked against its manifest")
      .option('--to <folder>', 'where to (default: a folder of the name of the job)'),
  ).action((id: string, options: ConnectionOptions & { readonly to?: string }) =>
    download(options, id, options.to ?? id),
  );

  command.addCommand(tensorboardCommand());
  return command;
}

async function act(
  options: ConnectionOptions,
  id: string,
  action: 'pause' | 'resume' | 'redrive',
  body: unknown = {},
): Promise<JobView> {
  return (await connect(options)).any.actOnJob(id, action, body);
}

function shown(id: string, options: ConnectionOptions, job: JobView): void {
  if (options.json === true) printJson(job);
  else console.log(`${id}: ${job.status}`);
}

type Listed = JobList['jobs'][number];

/** How far it is, and how quick. */
const progressCells = (job: Listed): string[] =>
  job.kind === 'train'
    ? [`${job.round}/${job.rounds}`, count(job.samplesPerSecond)]
    : [`${job.partsDone}/${job.parts}`, count(job.rowsPerSecond)];

const anyProgressLine = (job: JobView) => (job.kind === 'train' ? progressLine(job) : fanOutLine(job));

/** @param result of this job, and so of its kind */
const anyOutcome = ({ kind, model }: Pick<JobView, 'kind' | 'model'>, result: JobResult | FanOutResult) =>
  kind === 'train' ? outcome(model, result as JobResult) : fanOutOutcome(kind, result as FanOutResult);

function testFigure({ result }: Listed): string {
  return (result?.status === 'succeeded' ? headline(result.metrics ?? {}) : undefined) ?? '';
}
