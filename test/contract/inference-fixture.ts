/** Both inference targets as they ship, over one bucket: the Worker in workerd, the Lambda handler behind its URL. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import type { R2Bucket } from '@cloudflare/workers-types';
import { Log, LogLevel, Miniflare } from 'miniflare';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import type { Signature } from '../../core/inference/protocol/request.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { moveChannel } from '../../core/registry/channels.ts';
import { publishRelease } from '../../core/registry/releases.ts';
import { signToken } from '../../core/security/token.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { TensorSpec } from '../../core/tensors/tensor.ts';
import { r2Store } from '../../functions/inference/r2-store.ts';
import { createFunction } from '../../infra/local/lambda/function.ts';
import { startFunctionUrl } from '../../infra/local/lambda/function-url.ts';
import { buildWorker } from '../../infra/local/workers/build.ts';
import { workerOptions } from '../../infra/local/workers/runtime.ts';

const BUCKET = 'causeway';
const WORKER = 'causeway-inference';
const SECRET = 'for this test only';

export interface Target {
  readonly name: string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface InferenceFixture {
  readonly store: ObjectStore;
  readonly edge: Target;
  /** With the edge's token. */
  readonly cloud: Target;
  readonly cloudUrl: string;
  /** Another cloud, whose one environment takes so many requests at once. */
  startCloud(concurrencyPerEnvironment: number): Promise<Target>;
  stop(): Promise<void>;
}

export async function startInference(): Promise<InferenceFixture> {
  const undo: (() => Promise<unknown>)[] = [];
  const built = await buildWorker(
    new URL('../../functions/inference/wrangler.toml', import.meta.url).pathname,
  );
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.NONE),
    // What a refused release logs belongs to the tests that cause it.
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      stdout.resume();
      stderr.resume();
    },
    workers: workerOptions([{ name: WORKER, built, vars: {}, port: 0 }]),
  });
  undo.push(() => miniflare.dispose());
  const edgeUrl = (await miniflare.unsafeGetDirectURL(WORKER)).origin;
  const store = r2Store((await miniflare.getR2Bucket('BUCKET')) as unknown as R2Bucket);

  const s3 = await startReadOnlyS3(store);
  undo.push(() => s3.stop());
  async function startCloud(concurrencyPerEnvironment: number): Promise<Target & { readonly url: string }> {
    const target = createFunction({
      name: WORKER,
      handlerFile: new URL('../../cloud/inference/handler.ts', import.meta.url),
      environment: {
        CAUSEWAY_BUCKET: BUCKET,
        CAUSEWAY_TOKEN_SECRET: SECRET,
        CAUSEWAY_S3_PATH_STYLE: '1',
        AWS_ENDPOINT_URL_S3: s3.url,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'local',
      },
      timeoutMs: 30_000,
      maxConcurrency: 1,
      concurrencyPerEnvironment,
      queueWaitMs: 10_000,
      log: () => {},
    });
    undo.push(() => target.stop());
    const functionUrl = await startFunctionUrl({ target });
    undo.push(() => functionUrl.stop());
    const { url } = functionUrl;
    return {
      name: 'cloud',
      url,
      async fetch(path, init) {
        const headers = new Headers(init?.headers);
        headers.set('authorization', `Bearer ${await signToken(SECRET, Date.now())}`);
        return fetch(url + path, { ...init, headers });
      },
    };
  }
  const cloud = await startCloud(1);

  return {
    store,
    edge: { name: 'edge', fetch: (path, init) => fetch(edgeUrl + path, init) },
    cloud,
    cloudUrl: cloud.url,
    startCloud,
    async stop() {
      for (const step of undo.toReversed()) await step();
    },
  };
}

/** The two operations serving needs of S3, over the bucket the Worker is bound to. Signatures are not its subject. */
async function startReadOnlyS3(store: ObjectStore) {
  const answer = async (method: string, key: string, response: ServerResponse) => {
    const object = await (method === 'HEAD' ? store.head(key) : store.get(key));
    if (object === undefined) {
      const body = method === 'HEAD' ? '' : '<Error><Code>NoSuchKey</Code><Message>none</Message></Error>';
      response.writeHead(404, { 'content-type': 'application/xml' }).end(body);
      return;
    }
    const { size, etag, modifiedAt } = object;
    response.writeHead(200, {
      'content-length': size,
      etag: `"${etag}"`,
      'last-modified': modifiedAt.toUTCString(),
    });
    response.end('body' in object ? object.body : undefined);
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://s3');
    const key = decodeURIComponent(pathname).slice(`/${BUCKET}/`.length);
    answer(request.method ?? 'GET', key, response).catch(() => response.writeHead(500).end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => undefined);
    },
  };
}

const jobOf = (sha256: string) => `job_${sha256.slice(0, 24)}`;
const mutable = (spec: TensorSpec) => ({ ...spec, shape: [...spec.shape] });

/** Publishes an MLP seeded with `seed` and moves the channel to it. */
export function releaseMlp(store: ObjectStore, model: string, seed: number) {
  const file = buildMlp({ inputs: 784, hidden: [128], classes: 10, seed, inputName: 'image' });
  return releaseFile(store, model, file, signatureOf(decodeModel(file)));
}

/** @param int8 the 8-bit variant of the release @returns the file, its SHA-256 and the release's number */
export async function releaseFile(
  store: ObjectStore,
  model: string,
  file: Uint8Array<ArrayBuffer>,
  { inputs, outputs }: Signature,
  int8?: Uint8Array<ArrayBuffer>,
) {
  const stored = async (bytes: Uint8Array<ArrayBuffer>) => ({
    sha256: await putBlob(store, bytes),
    bytes: bytes.length,
  });
  const fp32 = await stored(file);
  const { sha256 } = fp32;
  const variants = { fp32, ...(int8 === undefined ? {} : { int8: await stored(int8) }) };
  const release = await publishRelease(store, model, jobOf(sha256), (n) => ({
    v: 1,
    model,
    release: n,
    variants,
    signature: { inputs: inputs.map(mutable), outputs: outputs.map(mutable) },
    metrics: {},
    lineage: { job: jobOf(sha256), dataset: { name: 'digits', version: 1 }, graph: sha256 },
    createdAt: new Date().toISOString(),
  }));
  await moveChannel(store, model, 'stable', release, new Date());
  return { file, sha256, release };
}
