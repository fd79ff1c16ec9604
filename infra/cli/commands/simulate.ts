import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { Command, InvalidArgumentError } from 'commander';
import { Fault } from '../../../core/errors.ts';
import { POLICY_NAMES } from '../../../core/routing/policies/table.ts';
import { compare, meetsObjective, plotOf, type Row } from '../../../core/simulation/compare.ts';
import { parseLoads } from '../../../core/simulation/load.ts';
import { CLAIRVOYANTS, type Contender } from '../../../core/simulation/run.ts';
import { parseScenario } from '../../../core/simulation/parse.ts';
import type { Scenario } from '../../../core/simulation/scenario.ts';
import { percent, printJson, table } from '../output.ts';
import { listScenarios, scenarioFile } from '../scenarios.ts';
import { checkWritable, writeText } from '../text-file.ts';
import { wholeNumber } from './options.ts';

const CONTENDERS: readonly Contender[] = [...POLICY_NAMES, ...CLAIRVOYANTS];
/** Targets whose shares are shown: beyond that a line is too long. */
const SHARES_SHOWN = 4;

interface Options {
  readonly policies: readonly Contender[];
  readonly load: readonly number[];
  readonly seed: number;
  readonly svg?: string;
  readonly json?: boolean;
}

export function simulateCommand(): Command {
  return new Command('simulate')
    .description('run routing policies on a scenario in virtual time')
    .argument('[scenario]', 'a name, a file, or - for standard input; without it the scenarios there are')
    .option('--policies <names>', `some of ${CONTENDERS.join(', ')}`, contendersOf, CONTENDERS)
    .option('--load <factors>', 'times the rates of the scenario: 1, or 0.5,1, or 0.5..1.5:6', loadsOf, [1])
    .option('--seed <n>', 'the same seed gives the same figures', wholeNumber(0, 0xffff_ffff), 1)
    .option('--svg <file>', 'write a plot of latency percentiles against load')
    .option('--json', 'print one JSON value')
    .action(async (name: string | undefined, options: Options) => {
      if (name === undefined) return list(options);
      const scenario = await readScenario(name);
      const { policies: contenders, load: loads, seed } = options;
      if (options.svg !== undefined) await checkWritable(options.svg, 'svg');
      const rows: Row[] = [...compare(scenario, { contenders, loads, seed })];
      if (options.svg !== undefined) await writeText(options.svg, plotOf(scenario, rows), 'svg');
      if (options.json === true) return printJson({ scenario: scenario.name, seed, rows });
      console.log(`${scenario.about}\n`);
      console.log(tableOf(scenario, rows));
    });
}

async function list(options: Options): Promise<void> {
  const scenarios = await Promise.all((await listScenarios()).map(readScenario));
  if (options.json === true) return printJson(scenarios.map(({ name, about }) => ({ name, about })));
  const short = ({ about }: Scenario) => `${about.split(/[.:;]/)[0]}`;
  console.log(
    table(
      ['SCENARIO', 'ABOUT'],
      scenarios.map((each) => [each.name, short(each)]),
    ),
  );
}

/** @param name a name, a file, or `-` */
async function readScenario(name: string): Promise<Scenario> {
  const text = name === '-' ? await textOf(process.stdin) : await scenarioText(name);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Fault('invalid', `scenario ${name}: is not JSON`, { field: 'scenario', cause });
  }
  return parseScenario(json);
}

async function scenarioText(name: string): Promise<string> {
  try {
    return await readFile(scenarioFile(name), 'utf8');
  } catch (cause) {
    const known = (await listScenarios()).join(', ');
    throw new Fault('invalid', `scenario ${name}: no such file; there are ${known}`, {
      field: 'scenario',
      cause,
    });
  }
}

const HEADER = [
  'LOAD',
  'POLICY',
  'MEAN MS',
  'P50',
  'P95',
  'P99',
  'P99.9',
  'MISSED',
  'REFUSED',
  'HEDGED',
  'EXTRA',
  'OBJECTIVE',
  'SHARES',
] as const;

function tableOf(scenario: Scenario, rows: readonly Row[]): string {
  const ms = (value: number) => Number(value.toPrecision(4));
  const met = (row: Row) => {
    const is = meetsObjective(scenario, row.report);
    return is === undefined ? '' : is ? 'met' : 'missed';
  };
  return table(
    HEADER,
    rows.map((row) => {
      const { report } = row;
      const begin = [Number(row.load.toPrecision(3)), row.contender];
      // By chance no request came after the warm-up: the figures of none would look like good ones.
      if (report.requests === 0)
        return [...begin, ...HEADER.slice(begin.length, -1).map(() => '–'), 'nothing measured'];
      return [
        ...begin,
        ms(report.meanMs),
        ms(report.p50Ms),
        ms(report.p95Ms),
        ms(report.p99Ms),
        ms(report.p999Ms),
        percent(report.missed),
        percent(report.refused),
        percent(report.hedged),
        percent(report.extra),
        met(row),
        sharesOf(scenario, row),
      ];
    }),
  );
}

function sharesOf({ targets }: Scenario, { report: { shares } }: Row): string {
  const shown = targets
    .slice(0, SHARES_SHOWN)
    .map(({ id }) => `${id} ${((shares[id] ?? 0) * 100).toFixed(0)} %`);
  return [...shown, ...(targets.length > SHARES_SHOWN ? ['…'] : [])].join(', ');
}

function contendersOf(text: string): Contender[] {
  const names = text.split(',');
  for (const name of names)
    if (!CONTENDERS.some((known) => known === name))
      throw new InvalidArgumentError(`There is no ${name}; there are ${CONTENDERS.join(', ')}.`);
  return names as Contender[];
}

function loadsOf(text: string): number[] {
  try {
    return parseLoads(text);
  } catch (thrown) {
    if (thrown instanceof Fault) throw new InvalidArgumentError(thrown.message);
    throw thrown;
  }
}
