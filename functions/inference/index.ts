/** The inference Worker. Private: only the router's service binding reaches it, so it authorizes nobody. */
import type { R2Bucket } from '@cloudflare/workers-types';
import { WorkerEntrypoint } from 'cloudflare:workers';
import { inFull } from '../../core/errors.ts';
import { createBreath } from '../../core/inference/breath.ts';
import { createInferenceApp, type InferenceApp } from '../../core/inference/app.ts';
import { CALL_BYTES, type InferCall, type Reply } from '../../core/inference/call.ts';
import { EDGE_CONFIG } from '../../core/inference/config.ts';
import { toResponse } from '../../core/inference/infer.ts';
import {
  createHardExamples,
  hardExampleLimits,
  type HardExampleVariables,
} from '../../core/inference/hard-examples.ts';
import { configured, type Overrides } from '../../core/inference/overrides.ts';
import type { After } from '../../core/inference/run-queue.ts';
import { r2Store } from './r2-store.ts';
import { wasmRuntime } from './runtime.ts';

interface Env extends Overrides, HardExampleVariables {
  readonly BUCKET: R2Bucket;
}

const createServing = (env: Env) => {
  const store = r2Store(env.BUCKET);
  const limits = hardExampleLimits(env);
  const clock = () => performance.now();
  const after: After = (ms, wake) => {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  };
  return createInferenceApp({
    runtime: wasmRuntime(createBreath({ clock, after })),
    store,
    config: configured(EDGE_CONFIG, env),
    clock,
    after,
    defer: (c) => (work) => c.executionCtx.waitUntil(work),
    report,
    keepHardExample:
      limits &&
      createHardExamples({ store, limits, wallClock: () => Date.now(), random: () => Math.random(), report }),
  });
};

const report = (thrown: unknown) => console.error(describe(thrown));

const describe = (thrown: unknown) =>
  `${inFull(thrown)}\n${thrown instanceof Error ? (thrown.stack ?? '') : ''}`;

/** What a warm isolate keeps: the loaded sessions and what it knows of the releases. */
let serving: InferenceApp | undefined;

const serve = (env: Env): InferenceApp => (serving ??= createServing(env));

export default class extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Response | Promise<Response> {
    return serve(this.env).app.fetch(request, this.env, this.ctx);
  }

  /** A `POST …/infer` that is called rather than sent. */
  async infer(call: InferCall): Promise<Reply | Response> {
    const reply = await serve(this.env).infer.directly(call, (work) => this.ctx.waitUntil(work));
    return reply.body.length < CALL_BYTES ? reply : toResponse(reply);
  }

  /** Nobody waits for that call any more. Best effort: it may have run in another isolate. */
  cancel(ticket: string): void {
    serve(this.env).infer.cancel(ticket);
  }
}
