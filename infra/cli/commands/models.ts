import { Command } from 'commander';
import { connect } from '../connection.ts';
import { count, percent, printJson, table } from '../output.ts';
import { type ConnectionOptions, wholeNumber, withConnection } from './options.ts';

export function modelsCommand(): Command {
  const command = new Command('models').description('list models and releases, move channels');

  withConnection(command.command('list', { isDefault: true }).description('all models')).action(
    async (options: ConnectionOptions) => {
      const { models } = await (await connect(options)).models();
      if (options.json === true) return printJson(models);
      const channels = (of: Readonly<Record<string, number>>) =>
        Object.entries(of)
          .map(([channel, release]) => `${channel} → ${release}`)
          .join(', ');
      const rows = models.map((model) => [model.name, model.releases, channels(model.channels)]);
      console.log(table(['MODEL', 'RELEASES', 'CHANNELS'], rows));
    },
  );

  withConnection(
    command.command('releases').argument('<model>').description('its releases, newest first'),
  ).action(async (model: string, options: ConnectionOptions) => {
    const { releases } = await (await connect(options)).releases(model);
    if (options.json === true) return printJson(releases);
    const rows = releases.map((release) => [
      release.release,
      release.metrics['accuracy'] === undefined ? '' : percent(release.metrics['accuracy']),
      count(release.variants.fp32.bytes),
      release.lineage.job,
      release.createdAt,
    ]);
    console.log(table(['RELEASE', 'ACCURACY', 'BYTES', 'JOB', 'CREATED'], rows));
  });

  withConnection(
    command
      .command('promote')
      .argument('<model>')
      .argument('<channel>')
      .argument('<release>', 'number of the release', wholeNumber(1, Number.MAX_SAFE_INTEGER))
      .description('point a channel to a release'),
  ).action(async (model: string, channel: string, release: number, options: ConnectionOptions) => {
    await (await connect(options)).moveChannel(model, channel, { release });
    if (options.json === true) printJson({ model, channel, release });
    else console.log(`${model} ${channel} → release ${release}`);
  });
  return command;
}
