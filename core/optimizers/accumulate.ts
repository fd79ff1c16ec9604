/**
 * The mean gradient of several batches, each weighed by what its loss counted: after the last batch, with `scale` one
 * over the sum of the weights, `gradient` is what one batch of all the rows would have given, up to rounding.
 */
import { add, constant, elementwise, mul, vector } from './expression.ts';
import { GRADIENT } from './interface.ts';

const weighed = mul(constant('weight'), GRADIENT);
const sum = add(vector('total'), weighed);

export const ACCUMULATE = {
  first: elementwise({ total: weighed }),
  middle: elementwise({ total: sum }),
  last: elementwise({ gradient: mul(sum, constant('scale')) }),
};
