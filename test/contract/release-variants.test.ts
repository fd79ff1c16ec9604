/** What the release task makes of `release.int8`, with the runtime it evaluates with. */
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { evaluate } from '../../cloud/training/evaluate.ts';
import { releaseVariants, type VariantOptions } from '../../cloud/training/variants.ts';
import { blobKey } from '../../core/contracts/keys.ts';
import { columns } from '../../core/datasets/columns.ts';
import { Fault } from '../../core/errors.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { quantize } from '../../core/onnx/quantize.ts';
import { createRandom } from '../../core/random.ts';
import { type MemoryStore, memoryStore } from '../unit/memory-store.ts';

const ROWS = 200;
const graph = buildMlp({ inputs: 64, hidden: [96], classes: 4, seed: 2 });
const runtime = nativeRuntime();
const loss = { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' } as const;

/** Rows whose class is what the float32 model says, so that its accuracy is 1. */
async function heldRows() {
  const random = createRandom(4);
  const data = Float32Array.from({ length: ROWS * 64 }, () => random.normal());
  const session = await runtime.load(graph);
  const { probabilities } = await session.run({ input: { dtype: 'F32', shape: [ROWS, 64], data } }, [
    'probabilities',
  ]);
  await session.release();
  const labels = Uint8Array.from({ length: ROWS }, (_, row) => {
    const scores = Array.from({ length: 4 }, (_unused, i) => Number(probabilities!.data[row * 4 + i]));
    return scores.indexOf(Math.max(...scores));
  });
  return columns({
    input: { spec: { dtype: 'F32', shape: [64] }, data },
    label: { spec: { dtype: 'U8', shape: [] }, data: labels },
  });
}
const held = await heldRows();

const options = (store: MemoryStore, change: Partial<VariantOptions> = {}): VariantOptions => ({
  runtime,
  store,
  release: { int8: { tolerance: 0.05 } },
  held,
  evaluate: (session, rows) => evaluate(session, rows, { inputs: {}, loss }, 'probabilities'),
  refusal: () => undefined,
  ...change,
});

describe('releaseVariants', () => {
  it('makes the float32 one alone where nothing else is asked for', async () => {
    const store = memoryStore();
    const { variants, omitted } = await releaseVariants(options(store, { release: {} }), graph, {
      accuracy: 1,
    });
    expect(Object.keys(variants)).toEqual(['fp32']);
    expect(Object.keys(variants.fp32)).toEqual(['sha256', 'bytes']);
    expect(omitted).toBeUndefined();
  });

  it('makes both, with what was measured of each', async () => {
    const store = memoryStore();
    const { variants, omitted } = await releaseVariants(options(store), graph, { accuracy: 1 });
    expect(omitted).toBeUndefined();
    const { fp32, int8 } = variants;
    expect(int8!.bytes).toBe(encodeModel(quantize(decodeModel(graph)).model).length);
    expect(int8!.bytes).toBeLessThan(fp32.bytes / 2);
    expect(fp32.metrics).toEqual({ accuracy: 1 });
    expect(int8!.metrics!['accuracy']).toBeGreaterThanOrEqual(0.95);
    for (const { sha256, bytes, latencyMs } of [fp32, int8!]) {
      expect((await store.get(blobKey(sha256)))?.size).toBe(bytes);
      expect(latencyMs).toMatchObject({ batch: 1, runtime: runtime.name });
      expect(latencyMs!.median).toBeGreaterThan(0);
      expect(latencyMs!.runs).toBeGreaterThan(0);
    }
  });

  it.each([
    [
      'it is worse than the tolerance',
      { evaluate: async () => ({ accuracy: 0.9 }) },
      /^its accuracy is 0.9, worse than 1 by 0.1: 0.05 is allowed$/,
    ],
    ['it does not pass the gate', { refusal: () => 'accuracy is too low' }, /^accuracy is too low$/],
    [
      'it does not run',
      {
        evaluate: async () => {
          throw new Fault('unprocessable', 'the model cannot be run: no kernel');
        },
      },
      /no kernel/,
    ],
  ] as const)('leaves int8 out where %s, and stores nothing of it', async (_why, change, reason) => {
    const store = memoryStore();
    let evaluations = 0;
    const real = options(store);
    const evaluateOnce: VariantOptions['evaluate'] = (session, rows) =>
      // Only the evaluation of all rows is another; single rows are for the clock.
      rows.rows === ROWS && 'evaluate' in change
        ? (evaluations++, change.evaluate())
        : real.evaluate(session, rows);
    const { variants, omitted } = await releaseVariants(
      options(store, { ...change, evaluate: evaluateOnce }),
      graph,
      { accuracy: 1 },
    );
    expect(Object.keys(variants)).toEqual(['fp32']);
    expect(variants.fp32.latencyMs?.runs).toBeGreaterThan(0);
    expect(omitted?.int8).toMatch(reason);
    expect(store.calls.put).toBe(1);
    expect(evaluations).toBe('evaluate' in change ? 1 : 0);
  });

  it('leaves int8 out where no weight is large enough', async () => {
    const small = buildMlp({ inputs: 64, hidden: [8], classes: 4, seed: 2 });
    const { omitted } = await releaseVariants(options(memoryStore()), small, { accuracy: 1 });
    expect(omitted?.int8).toBe('no weight is large enough to gain from 8 bits');
  });

  it('does not take a store that is away for a model that is wrong', async () => {
    const broken = options(memoryStore(), {
      evaluate: (session, rows) => {
        if (rows.rows === ROWS) throw new Fault('unavailable', 'away');
        return options(memoryStore()).evaluate(session, rows);
      },
    });
    await expect(releaseVariants(broken, graph, { accuracy: 1 })).rejects.toThrow('away');
  });
});
