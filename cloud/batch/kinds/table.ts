/** What is done for each kind of job that is split and merged. */
import type { FanOutKind } from '../../../core/contracts/fan-out.ts';
import type { FanOutWork } from '../../../core/fan-out/work.ts';
import type { BatchContext } from '../context.ts';
import { batchWork } from './batch.ts';
import { evaluateWork } from './evaluate.ts';
import { mapWork } from './map.ts';

export const WORK: Readonly<Record<FanOutKind, (context: BatchContext) => FanOutWork>> = {
  batch: batchWork,
  evaluate: evaluateWork,
  map: mapWork,
};
