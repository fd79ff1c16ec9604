/** `predict` of a map: each item is one row for the model; rows of one shape are run together. */
import type { MapFunction } from '../../../core/contracts/fan-out.ts';
import { Fault } from '../../../core/errors.ts';
import { rowText } from '../../../core/fan-out/formats/jsonl.ts';
import { concatenate, fitTogether, hasBatchAxis, split, type Work } from '../../../core/inference/batch.ts';
import type { ModelSession } from '../../../core/inference/runtime.ts';
import type { TensorSpec, TensorValue } from '../../../core/tensors/tensor.ts';
import { loadSession } from '../context.ts';
import { type Answer, type Apply, refused } from './function.ts';
import { rowTensor } from './row-tensor.ts';

type PredictFunction = Extract<MapFunction, { kind: 'predict' }>;

export const predictItems: Apply<PredictFunction> = async (context, { batchSize }, model, items) => {
  const { session } = await loadSession(context, model);
  const perRun = hasBatchAxis(session) ? batchSize : 1;
  const outputs = session.outputs.map(({ name }) => name);
  const answers: Answer[] = [];
  let waiting: Work[] = [];
  const flush = async () => {
    if (waiting.length > 0) answers.push(...(await run(session, waiting)));
    waiting = [];
  };
  for (const item of items) {
    let work: Work;
    try {
      work = { inputs: rowOf(session.inputs, item), outputs };
    } catch (thrown) {
      await flush();
      answers.push(refused(thrown));
      continue;
    }
    const [first] = waiting;
    if (waiting.length === perRun || (first !== undefined && !fitTogether(first, work))) await flush();
    waiting.push(work);
  }
  await flush();
  return answers;
};

/** @param all rows that fit together; where the model refuses them each has that answer */
async function run(session: ModelSession, all: readonly Work[]): Promise<readonly Answer[]> {
  const [first] = all;
  if (first === undefined) return [];
  let results: Readonly<Record<string, TensorValue>>;
  try {
    results = await session.run(
      all.length === 1 ? first.inputs : concatenate(all.map(({ inputs }) => inputs)),
      first.outputs,
    );
  } catch (thrown) {
    const answer = refused(thrown);
    return all.map(() => answer);
  }
  const parts =
    all.length === 1
      ? [results]
      : split(
          results,
          all.map(() => 1),
        );
  return parts.map((values) => ({
    result: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, JSON.parse(rowText(value, 0))]),
    ),
  }));
}

/** @throws Fault `invalid` naming the input that is missing, unknown or of another shape */
function rowOf(inputs: readonly TensorSpec[], item: unknown): Record<string, TensorValue> {
  if (typeof item !== 'object' || item === null || Array.isArray(item))
    throw new Fault('invalid', `an item must be an object with ${inputs.map(({ name }) => name).join(', ')}`);
  const unknown = Object.keys(item).find((name) => !inputs.some((input) => input.name === name));
  if (unknown !== undefined)
    throw new Fault('invalid', `${unknown}: the model has no such input`, { field: unknown });
  return Object.fromEntries(
    inputs.map((input) => [input.name, rowTensor(input, (item as Record<string, unknown>)[input.name])]),
  );
}
