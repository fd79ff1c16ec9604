import { Command } from 'commander';
import type { CascadeRequest, CascadeSpec } from '../../../core/contracts/cascade.ts';
import type { RoutingDefaults } from '../../../core/contracts/routing-defaults.ts';
import { Fault } from '../../../core/errors.ts';
import type { Release, Variant } from '../../../core/contracts/release.ts';
import { VARIANT_NAMES, type VariantName } from '../../../core/registry/variant-names.ts';
import { connect } from '../connection.ts';
import { count, headline, printJson, table } from '../output.ts';
import { type ConnectionOptions, wholeNumber, withConnection } from './options.ts';
import { cascade } from './train/cascade.ts';
import { routing } from './train/routing.ts';

interface SetOptions extends ConnectionOptions {
  readonly routing?: RoutingDefaults | 'none';
  readonly cascade?: CascadeRequest | 'off';
  readonly channel: string;
  readonly from?: number;
}

/** @returns a parser that also takes that word: commander makes '' of a parser's null */
const unless =
  <T, Word extends string>(word: Word, parser: (text: string) => T) =>
  (text: string): T | Word =>
    text.trim() === word ? word : parser(text);

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
    for (const { release, omitted, cascade: spec, routing: defaults, lineage } of releases) {
      if (omitted !== undefined) console.log(`release ${release} has no int8 variant: ${omitted.int8}`);
      if (spec !== undefined) console.log(`release ${release} is in a cascade: ${cascadeText(spec)}`);
      if (defaults !== undefined)
        console.log(`release ${release} says of its requests ${JSON.stringify(defaults)}`);
      if (lineage.release !== undefined)
        console.log(`release ${release} has the files of release ${lineage.release}`);
    }
  });

  withConnection(
    command
      .command('set')
      .argument('<model>')
      .description('say anew where its requests go: the same files as a new release')
      .option('--routing <json|none>', 'docs/routing.md: {"exclude":["cloud"]}', unless('none', routing))
      .option('--cascade <list|off>', 'threshold=0.9, large=digits-large', unless('off', cascade))
      .option('--channel <name>', 'points to the new release then', 'stable')
      .option(
        '--from <release>',
        'whose files (default: what the channel points to)',
        wholeNumber(1, Number.MAX_SAFE_INTEGER),
      ),
  ).action(async (model: string, options: SetOptions) => {
    const { routing: defaults, cascade: spec, channel, from } = options;
    if (defaults === undefined && spec === undefined)
      throw new Fault('invalid', 'give --routing, --cascade or both', { field: 'routing' });
    const set = await (
      await connect(options)
    ).rerelease(model, {
      routing: defaults === 'none' ? null : defaults,
      cascade: spec === 'off' ? null : spec,
      channel,
      from,
    });
    if (options.json === true) printJson(set);
    else console.log(`${model} ${set.channel} → release ${set.release}`);
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
