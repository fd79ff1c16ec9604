/** Task `release`: put the trained parameters into the graph, evaluate it on held-out rows, gate, publish. */
import type { AcceptedJob, JobPlan } from '../../core/contracts/job.ts';
import type { Metrics } from '../../core/contracts/primitives.ts';
import type { Release } from '../../core/contracts/release.ts';
import type { Columns } from '../../core/datasets/columns.ts';
import { outputForm } from '../../core/autodiff/losses/form.ts';
import { spentIn } from '../../core/costs/spent.ts';
import { rulesOf } from '../../core/autodiff/training-graph.ts';
import { readRows } from '../../core/datasets/read.ts';
import { checkValues } from '../../core/datasets/value-rule.ts';
import { Fault } from '../../core/errors.ts';
import type { ModelSession } from '../../core/inference/runtime.ts';
import { gateReason } from '../../core/metrics/gate.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { moveChannel } from '../../core/registry/channels.ts';
import { publishRelease } from '../../core/registry/releases.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import type { FleetContext } from './context.ts';
import { acceptedJob, hasEnded, plannedDataset, plannedJob, roundCommit } from './documents.ts';
import { endJob, stopIfDue } from './ending.ts';
import { evaluate } from './evaluate.ts';
import { failJob } from './fail.ts';
import { usageOf } from './metering.ts';
import { trainedModel } from './trained-model.ts';
import { releaseVariants } from './variants.ts';

export async function releaseJob(context: FleetContext, job: string): Promise<void> {
  if ((await hasEnded(context, job)) || (await stopIfDue(context, job))) return;
  const [accepted, plan] = await Promise.all([acceptedJob(context, job), plannedJob(context, job)]);
  const last = await roundCommit(context, job, plan.rounds - 1);
  // Too early: whoever closes the last round announces the release.
  if (last === undefined) return;
  const { store, now } = context;
  const { spec } = accepted;
  const { graph, putAdapter } = await trainedModel(context, accepted, plan);
  const held = await heldOutRows(context, accepted, plan);
  const released = decodeModel(graph);
  const form = outputForm(released, spec.loss);
  const judge = (session: ModelSession, rows: Columns) => evaluate(session, rows, spec, form);
  const metrics = await measure(context, held, graph, judge);

  const reason = gateReason(spec.release.gate, metrics);
  if (reason !== undefined) {
    await failJob(context, job, { reason: `not released: ${reason}`, field: 'release.gate', metrics });
    return;
  }

  const { variants, omitted } = await releaseVariants(
    {
      runtime: context.runtime,
      store,
      release: spec.release,
      held,
      evaluate: judge,
      refusal: (of) => gateReason(spec.release.gate, of),
    },
    graph,
    metrics,
  );
  const adapter = await putAdapter();
  const { inputs, outputs } = signatureOf(released);
  const published = await publishRelease(store, spec.model.name, job, (release): Release => ({
    v: 1,
    model: spec.model.name,
    release,
    variants,
    ...(adapter === undefined ? {} : { adapter }),
    ...(omitted === undefined ? {} : { omitted }),
    signature: {
      inputs: inputs.map((tensor) => ({ ...tensor, shape: [...tensor.shape] })),
      outputs: outputs.map((tensor) => ({ ...tensor, shape: [...tensor.shape] })),
    },
    metrics,
    ...(spec.release.routing === undefined ? {} : { routing: spec.release.routing }),
    ...(spec.release.cascade === undefined ? {} : { cascade: spec.release.cascade }),
    lineage: { job, dataset: plan.dataset, graph: spec.model.graph },
    createdAt: now().toISOString(),
  }));
  await moveChannel(store, spec.model.name, spec.release.channel, published, now());
  await endJob(context, {
    v: 1,
    job,
    status: 'succeeded',
    release: published,
    graph: variants.fp32.sha256,
    metrics,
    ...(omitted === undefined ? {} : { omitted }),
    ...(last.lost === undefined ? {} : { lost: last.lost }),
    spent: spentIn(context, [last.spent, usageOf(context)]),
    endedAt: now().toISOString(),
  });
}

/** @throws Fault `unprocessable` where a value is not what the loss is defined for */
async function heldOutRows(context: FleetContext, { spec }: AcceptedJob, plan: JobPlan): Promise<Columns> {
  const { store } = context;
  const manifest = await plannedDataset(context, plan);
  const rows = manifest.splits[spec.splits.test]?.rows;
  if (rows === undefined) throw new Fault('unprocessable', `the dataset has no split ${spec.splits.test}`);
  const [held, training] = await Promise.all([
    readRows(store, manifest, spec.splits.test, { start: 0, end: rows }),
    getBlob(store, plan.trainingGraph),
  ]);
  for (const rule of rulesOf(decodeModel(training))) {
    const column = held.tensors[rule.tensor];
    if (column !== undefined) checkValues(rule, column.data);
  }
  return held;
}

async function measure(
  { runtime }: FleetContext,
  held: Columns,
  graph: Uint8Array<ArrayBuffer>,
  judge: (session: ModelSession, rows: Columns) => Promise<Metrics>,
): Promise<Metrics> {
  const session = await runtime.load(graph);
  try {
    return await judge(session, held);
  } finally {
    await session.release();
  }
}
