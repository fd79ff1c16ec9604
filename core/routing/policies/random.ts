import { memoryless } from '../policy.ts';

/** Uniformly. */
export const random = memoryless('balls into bins', (view) => ({
  target: view.targets[Math.floor(view.random() * view.targets.length)]!,
  reason: 'random',
}));
