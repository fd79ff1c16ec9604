/** The inference Worker. Private: only the router's service binding reaches it, so it authorizes nobody. */
import type { ExecutionContext, R2Bucket } from '@cloudflare/workers-types';
import type { Hono } from 'hono';
import { createInferenceApp } from '../../core/inference/app.ts';
import { EDGE_CONFIG } from '../../core/inference/config.ts';
import { configured, type Overrides } from '../../core/inference/overrides.ts';
import { r2Store } from './r2-store.ts';
import { wasmRuntime } from './runtime.ts';

interface Env extends Overrides {
  readonly BUCKET: R2Bucket;
}

const createApp = (env: Env) =>
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
let app: Hono | undefined;

export default {
  fetch(request: Request, env: Env, context: ExecutionContext): Response | Promise<Response> {
    app ??= createApp(env);
    return app.fetch(request, env, context);
  },
};
