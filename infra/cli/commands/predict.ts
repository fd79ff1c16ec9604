import { Command } from 'commander';
import { Fault } from '../../../core/errors.ts';
import { connect } from '../connection.ts';
import { duration, printJson } from '../output.ts';
import { type AskingOptions, demands, givenBody, modelPath, withAsking } from './asking.ts';

export function predictCommand(): Command {
  const command = withAsking(new Command('predict').description('ask a model through the router'));
  return command.action(async (model: string, options: AskingOptions) => {
    const client = await connect(options);
    const path = modelPath(model, options);
    const body = await givenBody(options, () => client.inputs(path));
    if (body === undefined) throw new Fault('invalid', 'one of --input and --data is needed');
    const answer = await client.infer(`${path}/infer`, body, demands(options));
    if (options.json === true) return printJson(answer);
    for (const output of answer.body.outputs) {
      console.log(`${output.name} ${output.datatype} [${output.shape.join(', ')}]`);
      console.log(`  ${output.data.map((value) => Number(value.toPrecision(4))).join('  ')}`);
    }
    console.log(
      `${answer.target} (${answer.reason}, ${answer.variant}) in ${duration(answer.ms / 1000)}; ${answer.serverTiming}`,
    );
  });
}
