import type { OptimizerSpec } from '../contracts/job.ts';
import { adam } from './adam.ts';
import type { Optimizer } from './interface.ts';
import { sgd } from './sgd.ts';

export type { Optimizer, OptimizerState, OptimizerStep } from './interface.ts';

export function createOptimizer(spec: OptimizerSpec): Optimizer {
  switch (spec.kind) {
    case 'adam':
      return adam(spec);
    case 'sgd':
      return sgd(spec);
  }
}
