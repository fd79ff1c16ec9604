/**
 * The local edge: real workerd running the Workers exactly as they would be deployed, with a bucket under the state
 * directory that both their R2 binding and the S3 gateway see. Built by wrangler's dry run, started by miniflare
 * without wrangler's development proxy, which costs several times a warm inference.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../../core/errors.ts';
import { buildWorker } from './build.ts';
import { localCredentials, type S3Credentials } from './credentials.ts';
import { launch } from './launch.ts';
import type { LocalWorker } from './runtime.ts';
import { ROOT } from './sources.ts';

/** The Workers there are: their name in Cloudflare, their configuration, and which option is their port, if any. */
const WORKERS = {
  router: { name: 'causeway-router', config: 'wrangler.toml', portField: 'routerPort' },
  inference: {
    name: 'causeway-inference',
    config: 'functions/inference/wrangler.toml',
    portField: undefined,
  },
  gateway: {
    name: 'causeway-s3-gateway',
    config: 'infra/local/s3-gateway/wrangler.toml',
    portField: 's3Port',
  },
} as const;
export type EdgeWorker = keyof typeof WORKERS;

/** `bucket_name` in the Workers' configurations. */
export const BUCKET = 'causeway';
const REGION = 'us-east-1';

export interface EdgeOptions {
  /** Objects, credentials and workerd's log lie below it. */
  readonly stateDir: string;
  /** Where bundles are cached, see {@link buildWorker}. */
  readonly buildDir?: string;
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

function checkPorts({ routerPort, s3Port }: EdgeOptions): void {
  for (const [field, port] of Object.entries({ routerPort, s3Port })) {
    if (port !== undefined && (!Number.isInteger(port) || port < 0 || port > 65_535)) {
      throw new Fault('invalid', `${field}: ${port} is no port; a whole number from 0 (any) to 65535`, {
        field,
      });
    }
  }
}

async function prepare(
  worker: EdgeWorker,
  options: EdgeOptions,
  vars: Readonly<Record<string, string>>,
): Promise<LocalWorker> {
  const { name, config, portField } = WORKERS[worker];
  const built = await buildWorker(join(ROOT, config), { cacheDir: options.buildDir });
  return portField === undefined
    ? { name, built, vars, port: undefined }
    : { name, built, vars, port: options[portField] ?? 0, portField };
}

/**
 * @throws Fault `conflict` naming `routerPort`, `s3Port` or `stateDir` where it is in use, `internal` with the
 * bundler's or workerd's own words where a Worker does not build or start
 */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  checkPorts(options);
  const { stateDir, vars = {} } = options;
  const chosen = options.workers ?? (Object.keys(WORKERS) as EdgeWorker[]);
  await mkdir(stateDir, { recursive: true });
  const credentials = await localCredentials(stateDir);
  const keys = { ACCESS_KEY_ID: credentials.accessKeyId, SECRET_ACCESS_KEY: credentials.secretAccessKey };
  const workers = await Promise.all(
    chosen.map((worker) =>
      prepare(worker, options, { ...(worker === 'gateway' ? keys : {}), ...vars[worker] }),
    ),
  );
  const launched = await launch(stateDir, workers);
  const urlOf = (worker: EdgeWorker) => {
    const url = launched.urls.get(WORKERS[worker].name);
    if (url === undefined) throw new Fault('internal', `the ${worker} Worker was not started`);
    return url;
  };
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
    bundles: chosen.map((worker, index) => ({
      worker,
      bytes: workers[index]?.built.bytes ?? 0,
      rebuilt: workers[index]?.built.rebuilt ?? false,
    })),
    logFile: launched.logFile,
    stop: () => launched.stop(),
  };
}
