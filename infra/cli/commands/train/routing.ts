import { InvalidArgumentError } from 'commander';
import { parse } from '../../../../core/contracts/parse.ts';
import { RoutingDefaults } from '../../../../core/contracts/routing-defaults.ts';

/** `{"target":"edge","deadlineMs":200}`, docs/formats.md. */
export function routing(text: string): RoutingDefaults {
  try {
    return parse(RoutingDefaults, JSON.parse(text));
  } catch (thrown) {
    throw new InvalidArgumentError((thrown as Error).message);
  }
}
