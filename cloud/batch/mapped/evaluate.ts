/** `evaluate` of a map: each item says what is different, of the function's own model, dataset and split. */
import { z } from 'zod';
import { EvaluateSpec, type MapFunction, ModelReference } from '../../../core/contracts/fan-out.ts';
import { parse } from '../../../core/contracts/parse.ts';
import { readRows } from '../../../core/datasets/read.ts';
import { settleEvaluated } from '../../../core/fan-out/settle.ts';
import { type BatchContext, loadSession } from '../context.ts';
import { scoreRows } from '../kinds/evaluate.ts';
import { formOf } from '../plan.ts';
import { type Answer, type Apply, refused } from './function.ts';

type EvaluateFunction = Extract<MapFunction, { kind: 'evaluate' }>;

const Item = z.strictObject({
  model: ModelReference.optional(),
  dataset: EvaluateSpec.shape.dataset.optional(),
  split: EvaluateSpec.shape.split.unwrap().optional(),
});

export const evaluateItems: Apply<EvaluateFunction> = async (context, applied, _model, items) => {
  const answers: Answer[] = [];
  for (const item of items)
    answers.push(await evaluateItem(context, applied, item).then((result) => ({ result }), refused));
  return answers;
};

async function evaluateItem(
  context: BatchContext,
  applied: EvaluateFunction,
  item: unknown,
): Promise<unknown> {
  const { store, caches } = context;
  const { model = applied.model, dataset = applied.dataset, split = applied.split } = parse(Item, item);
  const settled = await settleEvaluated(store, { ...applied, model, dataset, split });
  const { spec, release, manifest } = settled;
  const loss = spec.loss!;
  const [{ session }, form] = await Promise.all([
    loadSession(context, settled.model),
    formOf(store, settled.model, loss),
  ]);
  const { rows } = manifest.splits[spec.split]!;
  const columns = await readRows(store, manifest, spec.split, { start: 0, end: rows }, caches.rows);
  const evaluation = await scoreRows(session, columns, { inputs: spec.inputs, loss }, form);
  return {
    model: { name: release.model, release: release.release, variant: spec.model.variant },
    dataset: { ...spec.dataset, split: spec.split },
    rows,
    metrics: evaluation.metrics(),
  };
}
