import { Command } from 'commander';
import type { CascadeSpec } from '../../../core/contracts/cascade.ts';
import type { Release, Variant } from '../../../core/contracts/release.ts';
import { VARIANT_NAMES, type VariantName } from '../../../core/registry/variant-names.ts';
import { connect } from '../connection.ts';
import { count, headline, printJson, table } from '../output.ts';
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
    command.command('releases').alias('show').argument('<model>').description('its releases, newest first'),
  ).action(async (model: string, options: ConnectionOptions) => {
    const { releases } = await (await connect(options)).releases(model);
    if (options.json === true) return printJson(releases);
    const rows = releases.flatMap((release) =>
      VARIANT_NAMES.flatMap((name) => {
        const variant = release.variants[name];
        return variant === undefined ? [] : [variantRow(release, name, variant)];
      }),
    );
    console.log(table(['RELEASE', 'VARIANT', 'METRIC', 'BYTES', 'MS A ROW', 'JOB', 'CREATED'], rows));
    for (const { release, omitted, cascade } of releases) {
      if (omitted !== undefined) console.log(`release ${release} has no int8 variant: ${omitted.int8}`);
      if (cascade !== undefined) console.log(`release ${release} is in a cascade: ${cascadeText(cascade)}`);
    }
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

function cascadeText({ filter, threshold, large }: CascadeSpec): string {
  const version = large?.version === undefined ? '' : ` ${large.version}`;
  const whom = large === undefined ? 'its variant in the cloud' : `${large.model}${version}`;
  return `${filter} below ${threshold} asks ${whom}`;
}

/** Metric and latency as the release task measured them; latency only where there was something to compare. */
function variantRow(release: Release, name: VariantName, variant: Variant): (string | number)[] {
  return [
    release.release,
    name,
    headline(variant.metrics ?? release.metrics) ?? '',
    count(variant.bytes),
    variant.latencyMs === undefined ? '' : variant.latencyMs.median.toPrecision(3),
    release.lineage.job,
    release.createdAt,
  ];
}
