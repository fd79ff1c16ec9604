/** The floors that edge inference is measured against, in the same workerd. Used by `npm run bench:edge`. */
import { Log, LogLevel, Miniflare } from 'miniflare';
import { buildWorker } from '../../infra/local/workers/build.ts';
import { workerOptions } from '../../infra/local/workers/runtime.ts';

/** Starts bench Workers by the names of their files; the last one is asked. */
async function start(names: readonly string[], cacheDir: string) {
  const workers = await Promise.all(
    names.map(async (name) => {
      const config = new URL(`workers/${name}.toml`, import.meta.url).pathname;
      const built = await buildWorker(config, { cacheDir });
      return { name: `causeway-bench-${name.replace('bare-', '')}`, built, vars: {}, port: 0 };
    }),
  );
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.NONE),
    workers: workerOptions(workers),
  });
  const url = await miniflare.unsafeGetDirectURL(workers.at(-1)!.name);
  return { url, stop: () => miniflare.dispose() };
}

async function succeed(request: Promise<Response>): Promise<Response> {
  const response = await request;
  if (!response.ok) throw new Error(`a bench Worker failed: ${await response.text()}`);
  return response;
}

export interface RawSessionOptions {
  /** ONNX file with one FP32 input. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly input: string;
  readonly shape: readonly number[];
  /** Default 20,000: the clock there has whole milliseconds. */
  readonly runs?: number;
  /** Folder for the built Workers. */
  readonly cacheDir: string;
}

/** @returns mean milliseconds of one `session.run`, creating the input tensor included */
export async function timeRawSession(options: RawSessionOptions): Promise<number> {
  const { model, input, shape, runs = 20_000, cacheDir } = options;
  const { url, stop } = await start(['raw-session'], cacheDir);
  try {
    url.search = new URLSearchParams({ runs: String(runs), input, shape: shape.join(',') }).toString();
    const response = await succeed(fetch(url, { method: 'POST', body: model }));
    const timed = (await response.json()) as { readonly runs: number; readonly totalMs: number };
    return timed.totalMs / timed.runs;
  } finally {
    await stop();
  }
}

/** Two Workers that do nothing but infer, with the model loaded: `POST` to the address. */
export async function startBareWorkers({ model, cacheDir }: Pick<RawSessionOptions, 'model' | 'cacheDir'>) {
  const bare = await start(['bare-inference', 'bare-router'], cacheDir);
  await succeed(fetch(bare.url, { method: 'PUT', body: model }));
  return { url: bare.url.href, stop: bare.stop };
}
