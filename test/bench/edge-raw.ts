/** The floor of edge inference: what `session.run` alone takes in workerd. Used by `npm run bench:edge`. */
import { Log, LogLevel, Miniflare } from 'miniflare';
import { buildWorker } from '../../infra/local/workers/build.ts';
import { workerOptions } from '../../infra/local/workers/runtime.ts';

const NAME = 'causeway-bench-raw-session';

export interface RawSessionOptions {
  /** ONNX file with one FP32 input. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly input: string;
  readonly shape: readonly number[];
  /** Default 20,000: the clock there has whole milliseconds. */
  readonly runs?: number;
  /** Folder for the built Worker. */
  readonly cacheDir: string;
}

/** @returns mean milliseconds of one run, creating the input tensor included */
export async function timeRawSession(options: RawSessionOptions): Promise<number> {
  const { model, input, shape, runs = 20_000, cacheDir } = options;
  const config = new URL('workers/wrangler.toml', import.meta.url).pathname;
  const built = await buildWorker(config, { cacheDir });
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.NONE),
    workers: workerOptions([{ name: NAME, built, vars: {}, port: 0 }]),
  });
  try {
    const url = await miniflare.unsafeGetDirectURL(NAME);
    url.search = new URLSearchParams({ runs: String(runs), input, shape: shape.join(',') }).toString();
    const response = await fetch(url, { method: 'POST', body: model });
    if (!response.ok) throw new Error(`the raw session failed: ${await response.text()}`);
    const timed = (await response.json()) as { readonly runs: number; readonly totalMs: number };
    return timed.totalMs / timed.runs;
  } finally {
    await miniflare.dispose();
  }
}
