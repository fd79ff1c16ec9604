import { Command } from 'commander';
import { expect, it } from 'vitest';
import { type AskingOptions, demands, withAsking } from '../../../infra/cli/commands/asking.ts';

it('what a request may demand of the router has an option, and becomes its header', () => {
  const asked = (...options: string[]) => {
    const command = withAsking(new Command('predict')).exitOverride();
    command.parse(['m', ...options], { from: 'user' });
    return demands(command.opts<AskingOptions>());
  };
  expect(asked()).toEqual({});
  const all = ['--target', 'cloud-only', '--exclude', 'cloud-eu', '--cost-ceiling', '2.5'];
  expect(asked(...all, '--cascade', 'threshold=0.9', '--deadline', '100')).toEqual({
    'x-causeway-target': 'cloud-only',
    'x-causeway-exclude': 'cloud-eu',
    'x-causeway-cost-ceiling': '2.5',
    'x-causeway-cascade': 'threshold=0.9',
    'x-causeway-deadline-ms': '100',
  });
});
