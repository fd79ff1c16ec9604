/**
 * `causeway gc`: with the caller's own access to the bucket. No deployed function may delete, and none needs to. As with
 * `git gc` and `restic prune` it removes unless `--dry-run` is given, and spares what is young.
 */
import { Command, Option } from 'commander';
import { type Collected, collectGarbage, type Tally } from '../../../core/garbage/collect.ts';
import { parseAge } from '../age.ts';
import { connectStore } from '../connection.ts';
import { count, printJson, table } from '../output.ts';
import { stateOption } from './options.ts';

interface GcOptions {
  readonly state?: string;
  readonly dryRun?: boolean;
  /** Seconds. */
  readonly olderThan: number;
  readonly json?: boolean;
}

const DAY_S = 86_400;

export function gcCommand(): Command {
  return new Command('gc')
    .description('remove from the bucket what no release, dataset or job needs any more')
    .option('-n, --dry-run', 'remove nothing, say what would be removed')
    .addOption(
      new Option('--older-than <age>', 'leave what was written since: 90m, 24h, 7d')
        .argParser(parseAge)
        .default(DAY_S, '24h'),
    )
    .addOption(stateOption())
    .option('--json', 'print one JSON value')
    .action(async (options: GcOptions) => {
      const { dryRun = false, olderThan } = options;
      const collected = await collectGarbage(await connectStore(options), {
        now: Date.now(),
        olderThanMs: olderThan * 1000,
        dryRun,
      });
      if (options.json === true) return printJson(asJson(collected, dryRun, olderThan));
      console.log(summary(collected, dryRun));
    });
}

const sum = (tallies: readonly Tally[]): Tally => ({
  objects: tallies.reduce((total, { objects }) => total + objects, 0),
  bytes: tallies.reduce((total, { bytes }) => total + bytes, 0),
});

function asJson({ kinds, garbage }: Collected, dryRun: boolean, olderThanSeconds: number): unknown {
  const rows = [...kinds.values()];
  return {
    dryRun,
    olderThanSeconds,
    removed: sum(rows.map((row) => row.garbage)),
    kept: sum(rows.map(({ kept }) => kept)),
    tooYoung: sum(rows.map(({ young }) => young)),
    kinds: Object.fromEntries(
      [...kinds].map(([what, { kept, young, garbage: removed }]) => [
        what,
        { kept, tooYoung: young, removed },
      ]),
    ),
    garbage,
  };
}

function summary({ kinds, garbage }: Collected, dryRun: boolean): string {
  const rows = [...kinds].map(([what, { kept, young, garbage: removed }]) => [
    what,
    kept.objects,
    young.objects,
    removed.objects,
    count(removed.bytes),
  ]);
  const { objects, bytes } = sum([...kinds.values()].map((row) => row.garbage));
  const reasons = new Map<string, number>();
  for (const { reason } of garbage) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return [
    table(['WHAT', 'NEEDED', 'TOO YOUNG', dryRun ? 'GARBAGE' : 'REMOVED', 'BYTES'], rows),
    ...[...reasons].map(([reason, n]) => `  ${n}: ${reason}`),
    `${dryRun ? 'would remove' : 'removed'} ${count(objects)} objects, ${count(bytes)} bytes`,
  ].join('\n');
}
