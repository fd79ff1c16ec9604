/** The Workers in workerd over their bucket, and a server in place of the cloud that can be slow, failing or gone. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import type { RoutingDefaults } from '../../core/contracts/routing-defaults.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { quantize } from '../../core/onnx/quantize.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { moveChannel } from '../../core/registry/channels.ts';
import { publishRelease } from '../../core/registry/releases.ts';
import { verifyToken } from '../../core/security/token.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { startEdge } from '../../infra/local/workers/edge.ts';
import { temporaryState } from './small-job.ts';

export const SECRET = 'for this test only, and long enough';
export const INPUTS = 4;

/** A request as the cloud got it. */
export interface CloudRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}
export type CloudAnswer = (request: CloudRequest, response: ServerResponse) => void;

export const answerJson =
  (status: number, body: unknown): CloudAnswer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

/** Keeps the connection and says nothing. */
export const hang: CloudAnswer = () => {};

export interface CloudStandIn {
  answer: CloudAnswer;
  readonly requests: CloudRequest[];
  readonly url: string;
  /** Refuses connections from now on, until `revive`. */
  die(): Promise<void>;
  revive(): Promise<void>;
}

export async function startCloud(): Promise<CloudStandIn> {
  const requests: CloudRequest[] = [];
  let server: Server | undefined;
  let port = 0;
  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = incoming;
    try {
      await verifyToken(headers.authorization, SECRET);
    } catch {
      return answerJson(401, { error: 'token' })({} as CloudRequest, response);
    }
    const request = { method, path: url, headers, body: Buffer.concat(chunks) };
    requests.push(request);
    cloud.answer(request, response);
  }
  const cloud: CloudStandIn = {
    answer: answerJson(200, { by: 'cloud' }),
    requests,
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    async die() {
      const dying = server;
      if (dying === undefined) return;
      server = undefined;
      dying.close();
      dying.closeAllConnections();
      await once(dying, 'close');
    },
    async revive() {
      // A client that goes away in the middle of a body ends its request only.
      server = createServer(
        (incoming, response) => void handle(incoming, response).catch(() => response.destroy()),
      );
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      ({ port } = server.address() as AddressInfo);
    },
  };
  await cloud.revive();
  return cloud;
}

export interface RouterFixture {
  readonly url: string;
  readonly cloud: CloudStandIn;
  readonly store: ObjectStore;
  /** One row of input. */
  infer(model: string, headers?: Record<string, string>, body?: string): Promise<Response>;
  stop(): Promise<void>;
}

export const ROW = JSON.stringify({
  inputs: [{ name: 'x', shape: [1, INPUTS], datatype: 'FP32', data: [0.1, 0.2, 0.3, 0.4] }],
});

/** @param vars beside those that every one has, of the router; where the cloud is goes in */
export async function startRouter(
  vars: (cloudUrl: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<RouterFixture> {
  const state = await temporaryState();
  const cloud = await startCloud();
  const edge = await startEdge({
    stateDir: state.path,
    vars: {
      router: {
        CLOUD_URL: cloud.url,
        JOBS_URL: cloud.url,
        CLOUD_TOKEN_SECRET: SECRET,
        ALLOW_ANONYMOUS: '1',
        ...vars(cloud.url),
      },
    },
  });
  const client = createS3Client(edge.environment);
  return {
    url: edge.routerUrl,
    cloud,
    store: s3Store({ client, bucket: edge.bucket }),
    infer: (model, headers = {}, body = ROW) =>
      fetch(`${edge.routerUrl}/v2/models/${model}/infer`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
      }),
    async stop() {
      client.destroy();
      await edge.stop();
      await cloud.die();
      await state.remove();
    },
  };
}

/**
 * Publishes a small model as its next release and serves it.
 * @param damage its file is not what the release says
 * @param routing of the release
 * @param int8 with a variant of 8-bit weights
 */
export async function release(
  store: ObjectStore,
  model: string,
  job: string,
  damage = false,
  { routing, int8 = false }: { readonly routing?: RoutingDefaults; readonly int8?: boolean } = {},
): Promise<void> {
  // Weights of 4,096 elements are the smallest that are quantised.
  const graph = buildMlp({
    inputs: INPUTS,
    hidden: [int8 ? 1_100 : 3],
    classes: 2,
    seed: 1,
    inputName: 'x',
  });
  const smaller: { int8?: { sha256: string; bytes: number } } = {};
  if (int8) {
    const file = encodeModel(quantize(decodeModel(graph)).model);
    smaller.int8 = { sha256: await putBlob(store, file), bytes: file.length };
  }
  await publish(store, model, job, graph, {
    ...(damage ? { sha256: '0'.repeat(64) } : {}),
    ...(routing === undefined ? {} : { routing }),
    smaller,
  });
}

interface Publishing {
  /** Of its file, where it is there already. */
  readonly sha256?: string;
  readonly routing?: RoutingDefaults;
  readonly smaller?: { readonly int8?: { readonly sha256: string; readonly bytes: number } };
}

/** Publishes a graph as the model's next release and serves it. */
export async function publish(
  store: ObjectStore,
  model: string,
  job: string,
  graph: Uint8Array<ArrayBuffer>,
  { sha256, routing, smaller = {} }: Publishing = {},
): Promise<void> {
  const blob = sha256 ?? (await putBlob(store, graph));
  const { inputs, outputs } = signatureOf(decodeModel(graph));
  const own = (tensors: typeof inputs) => tensors.map((tensor) => ({ ...tensor, shape: [...tensor.shape] }));
  const number = await publishRelease(store, model, job, (n) => ({
    v: 1,
    model,
    release: n,
    variants: { fp32: { sha256: blob, bytes: graph.length }, ...smaller },
    ...(routing === undefined ? {} : { routing }),
    signature: { inputs: own(inputs), outputs: own(outputs) },
    metrics: {},
    lineage: { job, dataset: { name: 'none', version: 1 }, graph: blob },
    createdAt: new Date().toISOString(),
  }));
  await moveChannel(store, model, 'stable', number, new Date());
}
