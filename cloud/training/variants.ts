/** Which variants of a trained graph are released, and what is known of each. */
import type { TrainSpec } from '../../core/contracts/job.ts';
import type { Metrics } from '../../core/contracts/primitives.ts';
import type { OmittedVariants, Variant, VariantLatency, Variants } from '../../core/contracts/release.ts';
import { type Columns, slice } from '../../core/datasets/columns.ts';
import { Fault } from '../../core/errors.ts';
import type { InferenceRuntime, ModelSession } from '../../core/inference/runtime.ts';
import { median } from '../../core/median.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { quantize } from '../../core/onnx/quantize.ts';
import { worseThan } from '../../core/registry/tolerance.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';

type Graph = Uint8Array<ArrayBuffer>;

export interface VariantOptions {
  readonly runtime: InferenceRuntime;
  readonly store: ObjectStore;
  readonly release: Pick<TrainSpec['release'], 'gate' | 'int8'>;
  /** Rows no variant was trained on. */
  readonly held: Columns;
  readonly evaluate: (session: ModelSession, rows: Columns) => Promise<Metrics>;
  /** @returns why metrics do not pass the gate; undefined where they do */
  readonly refusal: (metrics: Metrics) => string | undefined;
}

export interface ReleasedVariants {
  readonly variants: Variants;
  readonly omitted?: OmittedVariants;
}

/** @param metrics of the graph, known already */
export async function releaseVariants(
  options: VariantOptions,
  graph: Graph,
  metrics: Metrics,
): Promise<ReleasedVariants> {
  const { int8 } = options.release;
  if (int8 === undefined) return { variants: { fp32: await stored(options, graph) } };
  const fp32 = await stored(options, graph, { metrics, latencyMs: await timed(options, graph) });
  const quantized = await quantizedGraph(options, graph, metrics, int8.tolerance);
  if ('refused' in quantized) return { variants: { fp32 }, omitted: { int8: quantized.refused } };
  const measured = {
    metrics: quantized.metrics,
    latencyMs: await timed(options, quantized.graph),
  };
  return { variants: { fp32, int8: await stored(options, quantized.graph, measured) } };
}

async function quantizedGraph(
  options: VariantOptions,
  graph: Graph,
  metrics: Metrics,
  tolerance: number,
): Promise<{ readonly graph: Graph; readonly metrics: Metrics } | { readonly refused: string }> {
  const { model, rewritten } = quantize(decodeModel(graph));
  if (rewritten === 0) return { refused: 'no weight is large enough to gain from 8 bits' };
  const file = encodeModel(model);
  let measured: Metrics;
  try {
    measured = await withSession(options, file, (session) => options.evaluate(session, options.held));
  } catch (thrown) {
    // The float32 graph runs: what this one lacks must not cost the job its release.
    if (!(thrown instanceof Fault) || thrown.retryable) throw thrown;
    return { refused: thrown.message };
  }
  const { gate } = options.release;
  const refused = worseThan(metrics, measured, gate?.metric, tolerance) ?? options.refusal(measured);
  return refused === undefined ? { graph: file, metrics: measured } : { refused };
}

async function stored(
  { store }: VariantOptions,
  graph: Graph,
  measured: Pick<Variant, 'metrics' | 'latencyMs'> = {},
): Promise<Variant> {
  return { sha256: await putBlob(store, graph), bytes: graph.length, ...measured };
}

const WARM_UP_RUNS = 3;
const RUNS = 50;
/** A slow model is timed less often: so many milliseconds, then it is enough. */
const ENOUGH_MS = 2_000;

/** Median of single-row runs: what `session.run` takes of an evaluation of one row. */
function timed(options: VariantOptions, graph: Graph): Promise<VariantLatency> {
  const { runtime, held, evaluate } = options;
  return withSession(options, graph, async (session) => {
    const times: number[] = [];
    const clocked: ModelSession = {
      ...session,
      async run(inputs, outputs) {
        const began = performance.now();
        const values = await session.run(inputs, outputs);
        times.push(performance.now() - began);
        return values;
      },
    };
    const began = performance.now();
    for (let i = 0; i < WARM_UP_RUNS + RUNS; i++) {
      const row = i % held.rows;
      await evaluate(clocked, slice(held, row, row + 1));
      if (i >= WARM_UP_RUNS && performance.now() - began > ENOUGH_MS) break;
    }
    const warm = times.slice(WARM_UP_RUNS);
    return { median: median(warm)!, batch: 1, runs: warm.length, runtime: runtime.name };
  });
}

async function withSession<T>(
  { runtime }: VariantOptions,
  graph: Graph,
  use: (session: ModelSession) => Promise<T>,
): Promise<T> {
  const session = await runtime.load(graph);
  try {
    return await use(session);
  } finally {
    await session.release();
  }
}
