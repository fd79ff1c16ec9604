import { Command } from 'commander';
import { connect } from '../connection.ts';
import { explanationText } from '../explanation.ts';
import { printJson } from '../output.ts';
import { zeroRequest } from '../zeros.ts';
import { type AskingOptions, demands, givenBody, modelPath, withAsking } from './asking.ts';

export function explainCommand(): Command {
  const command = withAsking(
    new Command('explain')
      .description('ask a model through the router, and show how the request was routed and why')
      .addHelpText('after', '\nWithout --input and --data it sends zeros, as many as the model reads.'),
  );
  return command.action(async (model: string, options: AskingOptions) => {
    const client = await connect(options);
    const path = modelPath(model, options);
    const inputs = () => client.inputs(path);
    const body = (await givenBody(options, inputs)) ?? zeroRequest(await inputs());
    const { explanation, ms, fault } = await client.explain(`${path}/infer`, body, demands(options));
    if (options.json === true) printJson({ ...explanation, seenMs: ms, error: fault?.message ?? null });
    else console.log(explanationText(explanation, ms));
    // An answer that failed is explained all the same, and a failure.
    if (fault !== undefined) throw fault;
  });
}
