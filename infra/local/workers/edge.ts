/**
 * The local edge: real workerd running the Workers exactly as they would be deployed, with a bucket under the state
 * directory that both their R2 binding and the S3 gateway see. Built by wrangler's dry run, started by miniflare
 * without wrangler's development proxy, which costs several times a warm inference.
 */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Log, LogLevel, Miniflare, type MiniflareOptions } from 'miniflare';
import { Fault } from '../../../core/errors.ts';
import { buildWorker } from './build.ts';
import { localCredentials, type S3Credentials } from './credentials.ts';
import { holdWorkerd } from './lifetime.ts';
import { type LocalWorker, workerOptions } from './runtime.ts';
import { ROOT } from './sources.ts';

/** The Workers there are: their name in Cloudflare, their configuration, and whether they have a port of their own. */
const WORKERS = {
  router: { name: 'causeway-router', config: 'wrangler.toml', public: true },
  inference: { name: 'causeway-inference', config: 'functions/inference/wrangler.toml', public: false },
  gateway: { name: 'causeway-s3-gateway', config: 'infra/local/s3-gateway/wrangler.toml', public: true },
} as const;
export type EdgeWorker = keyof typeof WORKERS;

/** `bucket_name` in the Workers' configurations. */
export const BUCKET = 'causeway';
const REGION = 'us-east-1';

export interface EdgeOptions {
  /** Bundles, objects, credentials and workerd's log lie below it. */
  readonly stateDir: string;
  /** Default: all. A Worker needs those that it is bound to: the router needs inference. */
  readonly workers?: readonly EdgeWorker[];
  /** Default, and 0: any free one. */
  readonly routerPort?: number;
  readonly s3Port?: number;
  /** Variables and secrets of each Worker. */
  readonly vars?: Partial<Readonly<Record<EdgeWorker, Readonly<Record<string, string>>>>>;
}

export interface Edge {
  /** `http://127.0.0.1:8787`, without a slash at the end; reading one that was not started throws. */
  readonly routerUrl: string;
  readonly s3Url: string;
  readonly bucket: string;
  readonly credentials: S3Credentials;
  /** What a function needs in its environment to reach the bucket: see cloud/adapters/s3-client.ts. */
  readonly environment: Readonly<Record<string, string>>;
  /** Uncompressed size of each Worker's bundle, and whether it was built anew. */
  readonly bundles: readonly {
    readonly worker: EdgeWorker;
    readonly bytes: number;
    readonly rebuilt: boolean;
  }[];
  /** workerd's standard output and error, appended. */
  readonly logFile: string;
  /** Ends workerd; what is stored is on disk. Harmless when called again. */
  stop(): Promise<void>;
}

function portOf(options: EdgeOptions, worker: EdgeWorker): number | undefined {
  if (worker === 'router') return options.routerPort ?? 0;
  if (worker === 'gateway') return options.s3Port ?? 0;
  return undefined;
}

function checkPorts({ routerPort, s3Port }: EdgeOptions): void {
  for (const [field, port] of Object.entries({ routerPort, s3Port })) {
    if (port !== undefined && (!Number.isInteger(port) || port < 0 || port > 65_535)) {
      throw new Fault('invalid', `${field}: ${port} is no port; a whole number from 0 (any) to 65535`, {
        field,
      });
    }
  }
}

async function ready(miniflare: Miniflare, options: EdgeOptions): Promise<void> {
  try {
    await miniflare.ready;
  } catch (cause) {
    await miniflare.dispose().catch(() => {});
    const { code, message } = cause as { code?: string; message?: string };
    if (code !== 'ERR_ADDRESS_IN_USE') {
      throw new Fault('internal', `the Workers did not start: ${message ?? 'unknown error'}`, { cause });
    }
    const port = Number(message?.match(/:(\d+)\)/)?.[1]);
    const field = port === options.s3Port ? 's3Port' : 'routerPort';
    throw new Fault('conflict', `${field}: port ${port} of 127.0.0.1 is taken; choose another`, {
      field,
      cause,
    });
  }
}

/**
 * @throws Fault `conflict` naming `routerPort`, `s3Port` or `stateDir` where it is in use, `internal` with the bundler's or
 * workerd's own words where a Worker does not build or start
 */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  checkPorts(options);
  const { stateDir, vars = {} } = options;
  const chosen = options.workers ?? (Object.keys(WORKERS) as EdgeWorker[]);
  await mkdir(stateDir, { recursive: true });
  const credentials = await localCredentials(stateDir);
  const given: typeof vars = {
    ...vars,
    gateway: {
      ACCESS_KEY_ID: credentials.accessKeyId,
      SECRET_ACCESS_KEY: credentials.secretAccessKey,
      ...vars.gateway,
    },
  };
  const cacheDir = join(stateDir, 'build');
  const workers = await Promise.all(
    chosen.map(async (worker): Promise<LocalWorker & { readonly key: EdgeWorker }> => {
      const { name, config } = WORKERS[worker];
      const built = await buildWorker(join(ROOT, config), { cacheDir });
      return { key: worker, name, built, vars: given[worker] ?? {}, port: portOf(options, worker) };
    }),
  );

  const lifetime = await holdWorkerd(stateDir);
  const logFile = join(stateDir, 'workerd.log');
  const log = createWriteStream(logFile, { flags: 'a' });
  const settings: MiniflareOptions = {
    host: '127.0.0.1',
    port: 0,
    // No request for the machine's place in the world, no metrics, no console of its own.
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      stdout.pipe(log, { end: false });
      stderr.pipe(log, { end: false });
    },
    unsafeRuntimeEnv: { ...lifetime.environment },
    r2Persist: join(stateDir, 'r2'),
    workers: workerOptions(workers),
  };
  const miniflare = new Miniflare(settings);
  await ready(miniflare, options);

  const urls = new Map<EdgeWorker, string>();
  for (const { key, name, port } of workers) {
    if (port !== undefined) urls.set(key, (await miniflare.unsafeGetDirectURL(name)).origin);
  }
  const urlOf = (worker: EdgeWorker) => {
    const url = urls.get(worker);
    if (url === undefined) throw new Fault('internal', `the ${worker} Worker was not started`);
    return url;
  };
  const end = async () => {
    await miniflare.dispose();
    log.end();
    await lifetime.release();
  };
  let stopped: Promise<void> | undefined;
  return {
    get routerUrl() {
      return urlOf('router');
    },
    get s3Url() {
      return urlOf('gateway');
    },
    get environment() {
      return {
        AWS_ENDPOINT_URL_S3: urlOf('gateway'),
        CAUSEWAY_S3_PATH_STYLE: '1',
        CAUSEWAY_BUCKET: BUCKET,
        AWS_REGION: REGION,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      };
    },
    bucket: BUCKET,
    credentials,
    bundles: workers.map(({ key, built }) => ({ worker: key, bytes: built.bytes, rebuilt: built.rebuilt })),
    logFile,
    stop() {
      stopped ??= end();
      return stopped;
    },
  };
}
