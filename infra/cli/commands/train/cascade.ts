import { InvalidArgumentError } from 'commander';
import { type CascadeRequest, CascadeSpec } from '../../../../core/contracts/cascade.ts';
import { Fault } from '../../../../core/errors.ts';
import { cascadeOf, parseCascade } from '../../../../core/routing/cascade/header.ts';

/** As the header of a request has it: `threshold=0.9, large=digits-large`. */
export function cascade(text: string): CascadeRequest {
  try {
    const said = cascadeOf(undefined, parseCascade(text, '--cascade'), '--cascade');
    return CascadeSpec.parse(said);
  } catch (thrown) {
    throw new InvalidArgumentError(
      thrown instanceof Fault ? thrown.message : 'off: leave the option out for no cascade',
    );
  }
}
