/** A served model without ONNX Runtime: a model file is JSON that says what the fake runtime shall do with it. */
import type { Hono } from 'hono';
import { blobKey } from '../../../core/contracts/keys.ts';
import type { Release } from '../../../core/contracts/release.ts';
import { Fault } from '../../../core/errors.ts';
import { createInferenceApp } from '../../../core/inference/app.ts';
import { EDGE_CONFIG, type InferenceConfig } from '../../../core/inference/config.ts';
import { createHardExamples, type HardExampleLimits } from '../../../core/inference/hard-examples.ts';
import type { Infer } from '../../../core/inference/infer.ts';
import type { InferenceRuntime } from '../../../core/inference/runtime.ts';
import { moveChannel } from '../../../core/registry/channels.ts';
import { publishRelease } from '../../../core/registry/releases.ts';
import { putBlob } from '../../../core/storage/blobs.ts';
import type { TensorSpec } from '../../../core/tensors/tensor.ts';
import { type MemoryStore, memoryStore } from '../memory-store.ts';

export const INPUT: TensorSpec = { name: 'x', dtype: 'F32', shape: ['batch', 2] };
export const OUTPUT: TensorSpec = { name: 'y', dtype: 'F32', shape: ['batch', 2] };

interface FakeModel {
  /** The model multiplies by this, so that an answer tells which release computed it. */
  readonly factor: number;
  readonly broken?: boolean;
  /** Another name than {@link OUTPUT}'s. */
  readonly output?: string;
  /** Bytes the file is padded to. */
  readonly size?: number;
}

export interface FakeRuntime extends InferenceRuntime {
  loads: number;
  released: number;
  /** Runs of a session after its release: must stay 0. */
  misuse: number;
  /** Most runs and loads at the same time. */
  overlap: number;
  /** Awaited in each load and run. */
  pause: (operation: 'load' | 'run') => Promise<void> | void;
}

export function fakeRuntime(): FakeRuntime {
  let active = 0;
  const runtime: FakeRuntime = {
    name: 'fake 1.0',
    loads: 0,
    released: 0,
    misuse: 0,
    overlap: 0,
    pause: () => undefined,
    async load(bytes) {
      runtime.loads += 1;
      await busy('load');
      const model = JSON.parse(new TextDecoder().decode(bytes)) as FakeModel;
      if (model.broken === true) throw new Fault('unprocessable', 'the model cannot be run: broken');
      let alive = true;
      return {
        inputs: [INPUT],
        outputs: [{ ...OUTPUT, name: model.output ?? OUTPUT.name }],
        async run(inputs) {
          await busy('run');
          if (!alive) runtime.misuse += 1;
          const { shape, data } = inputs['x']!;
          const scaled = Float32Array.from(data as Float32Array, (element) => element * model.factor);
          return { y: { dtype: 'F32', shape, data: scaled } };
        },
        async release() {
          alive = false;
          runtime.released += 1;
        },
      };
    },
  };
  async function busy(operation: 'load' | 'run') {
    active += 1;
    runtime.overlap = Math.max(runtime.overlap, active);
    await runtime.pause(operation);
    active -= 1;
  }
  return runtime;
}

export interface Fixture {
  readonly app: Hono;
  readonly store: MemoryStore;
  readonly runtime: FakeRuntime;
  /** Milliseconds; write to move time. */
  readonly time: { now: number };
  /** What was handed to waitUntil. */
  readonly deferred: Promise<unknown>[];
  readonly reported: unknown[];
  /** The same without the table of paths. */
  readonly serving: Infer;
  /** Timers set, milliseconds. */
  readonly waits: number[];
}

export function createFixture(
  options: {
    readonly config?: Partial<InferenceConfig>;
    readonly wrap?: typeof identity;
    readonly authorize?: (authorization: string | undefined) => Promise<void>;
    /** Share of the requests with hard rows whose rows are kept. */
    readonly kept?: HardExampleLimits;
  } = {},
): Fixture {
  const time = { now: 1_000_000 };
  const store = memoryStore(() => time.now);
  const runtime = fakeRuntime();
  const deferred: Promise<unknown>[] = [];
  const reported: unknown[] = [];
  const waits: number[] = [];
  const { app, infer: serving } = createInferenceApp({
    runtime: (options.wrap ?? identity)(runtime),
    store,
    config: { ...EDGE_CONFIG, ...options.config },
    ...(options.authorize === undefined ? {} : { authorize: options.authorize }),
    clock: () => time.now,
    after(ms, wake) {
      waits.push(ms);
      const timer = setTimeout(wake, ms);
      return () => clearTimeout(timer);
    },
    defer: () => (work) => void deferred.push(work),
    report: (thrown) => void reported.push(thrown),
    keepHardExample:
      options.kept &&
      createHardExamples({
        store,
        limits: options.kept,
        wallClock: () => time.now,
        random: () => 0.5,
        report: (thrown) => void reported.push(thrown),
      }),
  });
  return { app, store, runtime, time, deferred, reported, waits, serving };
}

const identity = (runtime: InferenceRuntime): InferenceRuntime => runtime;

/**
 * Publishes a release whose model multiplies by `factor`, and moves the channel to it; `null`: none.
 * @param int8 another model, as the release's 8-bit variant
 * @param routing of the release
 * @returns its number
 */
export async function release(
  store: MemoryStore,
  model: string,
  fake: FakeModel,
  channel: string | null = 'stable',
  int8?: FakeModel,
  more: Pick<Release, 'cascade' | 'routing'> = {},
): Promise<number> {
  const stored = async (of: FakeModel) => {
    const file = new TextEncoder().encode(JSON.stringify(of).padEnd(of.size ?? 0));
    return { sha256: await putBlob(store, file), bytes: file.length };
  };
  const fp32 = await stored(fake);
  const { sha256 } = fp32;
  const variants = { fp32, ...(int8 === undefined ? {} : { int8: await stored(int8) }) };
  const job = `job_${sha256.slice(0, 20)}${model.replaceAll(/[^a-z0-9]/g, '')}`;
  const number = await publishRelease(store, model, job, (n): Release => {
    const signature = { inputs: [spec(INPUT)], outputs: [spec(OUTPUT)] };
    const lineage = { job, dataset: { name: 'rows', version: 1 }, graph: sha256 };
    return {
      v: 1,
      model,
      release: n,
      variants,
      signature,
      metrics: {},
      ...more,
      lineage,
      createdAt: '2026-01-01T00:00:00.000Z',
    };
  });
  if (channel !== null) await moveChannel(store, model, channel, number, new Date(0));
  return number;
}

const spec = ({ name, dtype, shape }: TensorSpec) => ({ name, dtype, shape: [...shape] });

/** Alters a release's file behind the store's back. */
export function corrupt(store: MemoryStore, sha256: string): void {
  store.tamper(blobKey(sha256), new TextEncoder().encode('{"factor":666}'));
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly model_version?: string;
    readonly outputs?: readonly { readonly data: readonly number[] }[];
    readonly error?: string;
    readonly field?: string;
  };
}

/** Infers one row `[1, 1]`: the answer's data is the factor of the release that computed it. */
export async function infer(app: Hono, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await app.request(`/v2/models/${path}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 1] }] }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Answer['body'],
  };
}

export const factorOf = ({ body }: Answer) => body.outputs?.[0]?.data[0];
