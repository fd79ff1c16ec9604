/** Every optimizer in every shape that changes what it computes. */
import { OptimizerSpec, type OptimizerSpec as Spec } from '../../../core/contracts/optimizer.ts';

export const OPTIMIZERS: readonly (readonly [name: string, spec: Spec])[] = [
  ['sgd', OptimizerSpec.parse({ kind: 'sgd' })],
  ['sgd with decay', OptimizerSpec.parse({ kind: 'sgd', weightDecay: 0.1 })],
  ['momentum', OptimizerSpec.parse({ kind: 'sgd', momentum: 0.9 })],
  ['nesterov', OptimizerSpec.parse({ kind: 'sgd', momentum: 0.9, nesterov: true, weightDecay: 0.01 })],
  ['adam', OptimizerSpec.parse({ kind: 'adam' })],
  ['adam with L2', OptimizerSpec.parse({ kind: 'adam', weightDecay: 0.1 })],
  ['adamw', OptimizerSpec.parse({ kind: 'adamw' })],
  ['adagrad', OptimizerSpec.parse({ kind: 'adagrad' })],
  ['adagrad with L2', OptimizerSpec.parse({ kind: 'adagrad', weightDecay: 0.01 })],
  ['lion', OptimizerSpec.parse({ kind: 'lion', learningRate: 1e-3, weightDecay: 0.1 })],
];
