/** Serving without HTTP: which release, its session, the run. The app puts it behind the Open Inference Protocol. */
import type { Release } from '../contracts/release.ts';
import { CASCADE_PART, REQUEST_HEADERS } from '../contracts/headers.ts';
import { releaseKey } from '../contracts/keys.ts';
import { Fault } from '../errors.ts';
import type { VariantName } from '../registry/variant-names.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { getBlob } from '../storage/blobs.ts';
import { headOf } from '../storage/sequence.ts';
import { type Arrival, createArrivals } from './arrivals.ts';
import type { Defer } from './background.ts';
import { hasBatchAxis } from './batch.ts';
import { type Judged, judged, judgingOf } from './cascade.ts';
import { type Choice, createCatalog } from './catalog.ts';
import type { BatchLimits, InferenceConfig } from './config.ts';
import type { KeepHardExample } from './hard-examples.ts';
import { parseInferRequest } from './protocol/request.ts';
import { encodeInferResponse } from './protocol/response.ts';
import { type After, createRunQueue, type RunQueue } from './run-queue.ts';
import type { InferenceRuntime, ModelSession } from './runtime.ts';
import { createSessionCache, type Lease, type ModelFile } from './session-cache.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { tell } from '../routing/told.ts';
import { chooseVariant, offeredVariants, preferenceFor } from './variants.ts';

export interface InferenceResult {
  /** JSON. */
  readonly body: string;
  readonly release: number;
  /** Of the release: which of its files computed the answer. */
  readonly variant: VariantName;
  /** True where a model had to be loaded for this request. */
  readonly cold: boolean;
  /** In the run that computed the answer: more than were asked where requests ran as one batch. */
  readonly rows: number;
  /** To the router, see core/routing/told.ts; undefined: nothing. */
  readonly told: string | undefined;
  /** Where the request is part of a cascade. */
  readonly judged: Judged | undefined;
}

/** @see InferenceService.infer */
export interface InferenceRequest {
  readonly model: string;
  /** As in the path; undefined: the stable channel's. */
  readonly version: string | undefined;
  readonly body: Uint8Array;
  /** On the clock, milliseconds; Infinity where there is none. */
  readonly deadlineAt: number;
  /** Aborted when nobody wants the answer any more. */
  readonly signal?: { readonly aborted: boolean };
  /** Wanted before what is usual here; a release that has none of the kind is served all the same. */
  readonly variant?: VariantName | undefined;
  /** What the request says of a cascade, as its header has it; undefined: nothing. */
  readonly cascade?: string | undefined;
}

export interface InferenceService {
  /** To be called when an infer request begins: those that are there already may wait for it. @param now on the clock */
  begin(model: string, version: string | undefined, now: number): Arrival;
  /** @param arrival what `begin` gave; the caller ends it, whatever comes of the request */
  infer(request: InferenceRequest, arrival: Arrival, defer: Defer): Promise<InferenceResult>;
  /** The release and all release numbers of the model, ascending. */
  describe(
    model: string,
    version: string | undefined,
    defer: Defer,
  ): Promise<{
    readonly release: Release;
    readonly versions: readonly number[];
    readonly told: string | undefined;
  }>;
  /** Loads the model where it is not loaded yet. */
  warm(model: string, version: string | undefined, defer: Defer): Promise<Release>;
}

export interface ServiceOptions {
  readonly runtime: InferenceRuntime;
  readonly store: ObjectStore;
  readonly config: InferenceConfig;
  /** Milliseconds. */
  readonly clock: () => number;
  readonly after: After;
  /** Told of failures no client hears of. */
  readonly report: (thrown: unknown) => void;
  /** What a cascade found hard is given to it; left out: nothing is kept. */
  readonly keepHardExample?: KeepHardExample | undefined;
}

export function createInferenceService(options: ServiceOptions): InferenceService {
  const { runtime, store, config, clock, after, report } = options;
  const { batching } = config;
  const begin = createArrivals();
  const tellings = new WeakMap<Release, { readonly text: string | undefined }>();
  const sessions = createSessionCache<RunQueue>({ limitBytes: config.sessionBytes, clock });
  const catalog = createCatalog({
    store,
    clock,
    freshness: config.freshness,
    report,
    // Called from work that is deferred already.
    prepare: async (release) => (await acquire(release, undefined, () => undefined)).done(),
  });

  async function acquire(
    release: Release,
    asked: VariantName | undefined,
    defer: Defer,
  ): Promise<Lease<RunQueue> & { readonly variant: VariantName }> {
    const { name, file } = chooseVariant(release, preferenceFor(release, config.variants, asked));
    const load = async () => {
      const session = await loadRelease(runtime, store, release, file);
      return createRunQueue(session, { limits: limitsOf(release, name, file.bytes), clock, after });
    };
    const lease = await sessions.acquire(file, load, defer);
    return { ...lease, variant: name };
  }

  /** Of a release always the same, and written with every answer. */
  function tellOf(release: Release): string | undefined {
    const known = tellings.get(release);
    if (known !== undefined) return known.text;
    const variants = offeredVariants(release, config.variants, config.sessionBytes);
    const text = tell({ ...release.routing, variants });
    tellings.set(release, { text });
    return text;
  }

  function limitsOf({ signature }: Release, variant: VariantName, bytes: number): BatchLimits | undefined {
    if (batching.maxRows < 2 || !batching.variants.includes(variant) || !hasBatchAxis(signature))
      return undefined;
    return bytes < batching.worthWaitingBytes ? { ...batching, maxDelayMs: 0 } : batching;
  }

  async function leased<T>(
    { release }: Choice,
    asked: VariantName | undefined,
    defer: Defer,
    use: (lease: Awaited<ReturnType<typeof acquire>>) => Promise<T>,
  ): Promise<T> {
    const lease = await acquire(release, asked, defer);
    try {
      return await use(lease);
    } finally {
      lease.done();
    }
  }

  return {
    begin: (model, version, now) => begin(version === undefined ? model : `${model}/${version}`, now),
    async infer({ model, version, body, deadlineAt, signal, variant: asked, cascade }, arrival, defer) {
      const choice = await catalog.resolve(model, version, defer);
      const { release } = choice;
      const { id, inputs, outputs } = parseInferRequest(body, release.signature);
      return leased(choice, asked, defer, async ({ session, cold, variant }) => {
        const judging = judgingOf(release, variant, cascade);
        const computed =
          judging === undefined || outputs.includes(judging.output) ? outputs : [...outputs, judging.output];
        const part = cascade === CASCADE_PART;
        const work = { inputs, outputs: computed, deadlineAt, signal, part };
        const { values, rows, independent } = await session.run(work, arrival, defer);
        if (part && !independent) throw notByPart(release);
        const verdict = judging && judged(judging, values);
        if (verdict !== undefined)
          options.keepHardExample?.(
            { model, release: release.release, variant, judging: judging!, judged: verdict, inputs, values },
            defer,
          );
        const named = outputs.map((name) => ({ name, value: values[name]! }));
        return {
          body: encodeInferResponse({ model, release: release.release, id, outputs: named }),
          release: release.release,
          variant,
          cold: cold || choice.cold,
          rows,
          told: tellOf(release),
          judged: verdict,
        };
      });
    },
    async describe(model, version, defer) {
      const { release } = await catalog.resolve(model, version, defer);
      const last = await headOf(store, (n) => releaseKey(model, n), release.release);
      return {
        release,
        told: tellOf(release),
        versions: Array.from({ length: last }, (_, index) => index + 1),
      };
    },
    async warm(model, version, defer) {
      const choice = await catalog.resolve(model, version, defer);
      return leased(choice, undefined, defer, async () => choice.release);
    },
  };
}

/** The router hears it, and asks again with all rows. */
const notByPart = ({ model }: Release) =>
  new Fault('unprocessable', `rows of ${model} change each other: it cannot be asked about some of them`, {
    field: REQUEST_HEADERS.cascade,
  });

/**
 * Reads one of a release's files, verifies its SHA-256 and loads it.
 * @throws Fault with a 5xx status: the fault is the release's or this target's, and another target may do better
 */
async function loadRelease(
  runtime: InferenceRuntime,
  store: ObjectStore,
  release: Release,
  { sha256 }: ModelFile,
): Promise<ModelSession> {
  const what = `release ${release.release} of ${release.model}`;
  let session: ModelSession;
  try {
    session = await runtime.load(await getBlob(store, sha256));
  } catch (cause) {
    const detail = cause instanceof Fault ? cause.message : 'unexpected failure';
    const code = cause instanceof Fault && cause.retryable ? cause.code : 'unavailable';
    throw new Fault(code, `${what} cannot be loaded: ${detail}`, { cause });
  }
  const { inputs, outputs } = release.signature;
  if (matches(inputs, session.inputs) && matches(outputs, session.outputs)) return session;
  await session.release();
  throw new Fault('internal', `${what} cannot be loaded: its signature is not its model's`);
}

/** By name, element type and rank; symbolic dimensions may be named differently. */
function matches(declared: readonly TensorSpec[], actual: readonly TensorSpec[]): boolean {
  return (
    declared.length === actual.length &&
    declared.every(({ name, dtype, shape }) =>
      actual.some((each) => each.name === name && each.dtype === dtype && each.shape.length === shape.length),
    )
  );
}
