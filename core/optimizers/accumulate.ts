/**
 * The mean gradient of several batches, each weighed by its share of the rows: after the last batch `gradient` is
 * what one batch of all the rows would have given, up to rounding.
 */
import { add, constant, elementwise, mul, vector } from './expression.ts';
import { GRADIENT } from './interface.ts';

const share = mul(constant('share'), GRADIENT);
const sum = add(vector('total'), share);

export const ACCUMULATE = {
  first: elementwise({ total: share }),
  middle: elementwise({ total: sum }),
  last: elementwise({ gradient: sum }),
};
