/** What `causeway plan` predicts for the rows on AWS. */
import { AWS } from '../../../core/planning/platform.ts';
import type { Prediction } from '../../../core/planning/simulate.ts';
import { compare } from '../../../infra/cli/planning/predict.ts';
import { memoryStore } from '../../unit/memory-store.ts';
import { mnistIn, SHARDS } from './job.ts';
import { requestOf, type Row } from './rows.ts';

/** Steps are timed once for all rows of one batch size: there they are the same but for the optimizer's share. */
export async function predict(rows: readonly Row[]): Promise<readonly Prediction[]> {
  const store = memoryStore();
  const request = await (await mnistIn(store))(0);
  const place = { platform: AWS, beside: 1 };
  const predicted = new Map<Row, Prediction>();
  for (const batchSize of new Set(rows.map((row) => row.batchSize))) {
    const alike = rows.filter((row) => row.batchSize === batchSize);
    const requests = alike.map((row) => requestOf(request, row));
    const { forecasts } = await compare(store, requests, place, { shards: [SHARDS] });
    alike.forEach((row, i) => predicted.set(row, forecasts[i]!.rows[0]!));
  }
  return rows.map((row) => predicted.get(row)!);
}
