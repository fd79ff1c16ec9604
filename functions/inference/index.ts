/** The inference Worker. Private: only the router's service binding reaches it, so it authorizes nobody. */
import type { ExecutionContext, R2Bucket } from '@cloudflare/workers-types';
import { createInferenceApp, type InferenceApp } from '../../core/inference/app.ts';
import { EDGE_CONFIG } from '../../core/inference/config.ts';
import { readInferUrl } from '../../core/inference/infer.ts';
import { configured, type Overrides } from '../../core/inference/overrides.ts';
import { r2Store } from './r2-store.ts';
import { wasmRuntime } from './runtime.ts';

interface Env extends Overrides {
  readonly BUCKET: R2Bucket;
}

const createServing = (env: Env) =>
  createInferenceApp({
    runtime: wasmRuntime(),
    store: r2Store(env.BUCKET),
    config: configured(EDGE_CONFIG, env),
    clock: () => performance.now(),
    after(ms, wake) {
      const timer = setTimeout(wake, ms);
      return () => clearTimeout(timer);
    },
    defer: (c) => (work) => c.executionCtx.waitUntil(work),
    report: (thrown) => console.error(describe(thrown)),
  });

const describe = (thrown: unknown) =>
  thrown instanceof Error ? `${thrown.message}\n${thrown.stack ?? ''}` : String(thrown);

/** What a warm isolate keeps: the loaded sessions and what it knows of the releases. */
let serving: InferenceApp | undefined;

export default {
  fetch(request: Request, env: Env, context: ExecutionContext): Response | Promise<Response> {
    serving ??= createServing(env);
    // Nearly every request: finding that out by the table of paths was seen to take a twentieth of a small model's.
    const asked = request.method === 'POST' ? readInferUrl(request.url) : undefined;
    if (asked === undefined) return serving.app.fetch(request, env, context);
    return serving.infer(request, asked.model, asked.version, (work) => context.waitUntil(work));
  },
};
