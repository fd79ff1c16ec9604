/** A request for a model of which nothing but its metadata is known: zeros. */
import { Fault } from '../../core/errors.ts';
import type { ModelInput } from './samples.ts';

/** As the metadata has it. */
export interface ShapedInput extends ModelInput {
  /** -1: any size. */
  readonly shape: readonly number[];
}

/** What the router takes by default is 4 MiB; a zero and its comma are two bytes. */
const MOST_ELEMENTS = 2_000_000;

/**
 * Dimensions of any size are 1.
 * @throws Fault `unprocessable` where a tensor has no zero, or too many
 */
export function zeroRequest(inputs: readonly ShapedInput[]): string {
  return JSON.stringify({
    inputs: inputs.map(({ name, datatype, shape: declared }) => {
      const shape = declared.map((size) => (size < 0 ? 1 : size));
      const elements = shape.reduce((product, size) => product * size, 1);
      if (datatype === 'BYTES') throw unfit(`${name} is of strings, which have no zero`);
      if (elements > MOST_ELEMENTS) throw unfit(`${name} has ${elements} elements`);
      return { name, shape, datatype, data: Array.from({ length: elements }, () => zero(datatype)) };
    }),
  });
}

const zero = (datatype: string) => (datatype === 'BOOL' ? false : 0);

const unfit = (what: string) =>
  new Fault('unprocessable', `no zeros can be sent: input ${what}; give --input or --data`, {
    field: 'input',
  });
