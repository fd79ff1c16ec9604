/** The registered functions, by kind. */
import type { MapFunction } from '../../../core/contracts/fan-out.ts';
import { evaluateItems } from './evaluate.ts';
import type { Apply } from './function.ts';
import { predictItems } from './predict.ts';

const FUNCTIONS: { readonly [K in MapFunction['kind']]: Apply<Extract<MapFunction, { kind: K }>> } = {
  predict: predictItems,
  evaluate: evaluateItems,
};

export const applyFunction: Apply = (context, applied, model, items) =>
  (FUNCTIONS[applied.kind] as Apply)(context, applied, model, items);
