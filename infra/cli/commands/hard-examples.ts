/** `causeway hard-examples`: with the caller's own access to the bucket, as nobody else may read them. */
import { Command, InvalidArgumentError } from 'commander';
import { connectStore } from '../connection.ts';
import { fetchHardExamples, listHardExamples } from '../hard-examples.ts';
import { count, printJson, table } from '../output.ts';
import { stateOption } from './options.ts';

interface Options {
  readonly day: string;
  readonly to?: string;
  readonly state?: string;
  readonly json?: boolean;
}

export function hardExamplesCommand(): Command {
  return new Command('hard-examples')
    .description('what was kept of requests a model was not sure of, for retraining')
    .argument('<model>', 'the small model of a cascade')
    .option('--day <day>', 'only of that day, UTC: 2026-01-31', day, '')
    .option('--to <folder>', 'fetch them')
    .addOption(stateOption())
    .option('--json', 'print one JSON value')
    .action(async (model: string, options: Options) => {
      const store = await connectStore(options);
      const examples = await listHardExamples(store, model, options.day);
      const { to } = options;
      const fetched = to === undefined ? undefined : await fetchHardExamples(store, examples, to);
      if (options.json === true)
        return printJson({ examples, ...(fetched === undefined ? {} : { fetched }) });
      if (examples.length === 0)
        return console.log(
          `nothing is kept of ${model}: it is off unless CAUSEWAY_HARD_EXAMPLES says a share`,
        );
      console.log(
        table(
          ['KEY', 'BYTES'],
          examples.map(({ key, bytes }) => [key, bytes]),
        ),
      );
      if (to !== undefined) console.log(`${count(fetched ?? 0)} fetched into ${to}`);
    });
}

function day(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be a day such as 2026-01-31.');
}
