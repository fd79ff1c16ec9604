import type { Spread } from './measure.ts';

export const range = ({ min, max }: Spread, digits: number) =>
  `${min.toFixed(digits)}..${max.toFixed(digits)}`;
