import { binary, bool, type Case, constant, param, positive, single } from './operands.ts';

export const BROADCAST: readonly Case[] = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min'].flatMap(binary),
  { op: 'Pow', about: 'a constant exponent', operands: [positive(2, 3), constant(2.5)] },
  { op: 'Pow', about: 'a negative base', operands: [param(2, 3), constant(3)] },
  { op: 'Pow', about: 'a learnt exponent', operands: [positive(2, 3), param(3)] },
  { op: 'Max', about: 'three', operands: [param(2, 3), param(3), param(1)] },
  { op: 'Sum', operands: [param(2, 3), param(3), param(2, 1)] },
  single({ op: 'Mean', operands: [param(2, 3), param(3), param(2, 1)] }),
  { op: 'Where', operands: [bool([2, 3], 1, 0, 1, 0, 0, 1), param(2, 3), param(3)] },
  { op: 'Where', about: 'a masked scalar', operands: [bool([1, 3], 1, 0, 1), constant(-9), param(2, 3)] },
];
