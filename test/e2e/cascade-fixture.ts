/** The Workers in workerd and the cloud's inference function over one bucket; between them a wire that can be cut. */
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import type { Release } from '../../core/contracts/release.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import { moveChannel } from '../../core/registry/channels.ts';
import { publishRelease } from '../../core/registry/releases.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { createFunction } from '../../infra/local/lambda/function.ts';
import { startFunctionUrl } from '../../infra/local/lambda/function-url.ts';
import { startEdge } from '../../infra/local/workers/edge.ts';
import { type CloudAnswer, type CloudStandIn, SECRET, startCloud } from './router-fixture.ts';
import { temporaryState } from './small-job.ts';

export interface CascadeFixture {
  readonly url: string;
  readonly store: ObjectStore;
  /** In front of the function: what it was asked, and what may become of that. */
  readonly wire: CloudStandIn;
  /** The wire as it should be. */
  readonly passOn: CloudAnswer;
  stop(): Promise<void>;
}

/** @param inference variables of the inference Worker */
export async function startCascade(inference: Readonly<Record<string, string>>): Promise<CascadeFixture> {
  const undo: (() => Promise<unknown>)[] = [];
  const state = await temporaryState();
  undo.push(() => state.remove());
  const wire = await startCloud();
  undo.push(() => wire.die());
  const router = { CLOUD_URL: wire.url, CLOUD_TOKEN_SECRET: SECRET };
  const edge = await startEdge({ stateDir: state.path, vars: { router, inference } });
  undo.push(() => edge.stop());
  const target = createFunction({
    name: 'inference',
    handlerFile: new URL('../../cloud/inference/handler.ts', import.meta.url),
    environment: { ...edge.environment, CAUSEWAY_BUCKET: edge.bucket, CAUSEWAY_TOKEN_SECRET: SECRET },
    timeoutMs: 30_000,
    maxConcurrency: 1,
    log: () => {},
  });
  undo.push(() => target.stop());
  const functionUrl = await startFunctionUrl({ target });
  undo.push(() => functionUrl.stop());
  const client = createS3Client(edge.environment);
  undo.push(async () => client.destroy());

  async function forward({ method, path, headers, body }: Parameters<CloudAnswer>[0]) {
    const { host: _host, connection: _connection, 'content-length': _length, ...rest } = headers;
    const own = Object.entries(rest).map(([name, value]): [string, string] => [name, String(value)]);
    return fetch(functionUrl.url + path, { method, headers: own, body: new Uint8Array(body) });
  }
  const passOn: CloudAnswer = (request, response) => {
    forward(request)
      .then(async (answer) => {
        const { 'content-encoding': _encoding, ...headers } = Object.fromEntries(answer.headers);
        response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()));
      })
      .catch(() => response.destroy());
  };
  wire.answer = passOn;
  return {
    url: edge.routerUrl,
    store: s3Store({ client, bucket: edge.bucket }),
    wire,
    passOn,
    async stop() {
      for (const step of undo.toReversed()) await step();
    },
  };
}

/** `[batch, 2]` to probabilities: a softmax over the classes, with the sign turned, or over the rows. */
function graph(kind: 'plain' | 'turned' | 'over-rows'): Uint8Array<ArrayBuffer> {
  const builder = new GraphBuilder(['x', 'p']);
  const x = builder.input({ name: 'x', dtype: 'F32', shape: ['batch', 2] });
  const scores = kind === 'turned' ? builder.op('Neg', [x]) : x;
  builder.op('Softmax', [scores], { axis: kind === 'over-rows' ? 0 : 1 }, 'p');
  builder.output({ name: 'p', dtype: 'F32', shape: ['batch', 2] });
  return encodeModel(builder.build('g'));
}

/** Publishes a release of such graphs and serves it. */
export async function publish(
  store: ObjectStore,
  model: string,
  { fp32, int8 }: { fp32: Parameters<typeof graph>[0]; int8?: Parameters<typeof graph>[0] },
  cascade?: Release['cascade'],
  routing?: Release['routing'],
): Promise<void> {
  const stored = async (kind: Parameters<typeof graph>[0]) => {
    const file = graph(kind);
    return { sha256: await putBlob(store, file), bytes: file.length };
  };
  const variants = { fp32: await stored(fp32), ...(int8 === undefined ? {} : { int8: await stored(int8) }) };
  const job = `job_${model.replaceAll('-', '').padEnd(8, '0')}`;
  const tensor = (name: string) => ({ name, dtype: 'F32' as const, shape: ['batch', 2] });
  const number = await publishRelease(store, model, job, (n) => ({
    v: 1,
    model,
    release: n,
    variants,
    signature: { inputs: [tensor('x')], outputs: [tensor('p')] },
    metrics: {},
    ...(cascade === undefined ? {} : { cascade }),
    ...(routing === undefined ? {} : { routing }),
    lineage: { job, dataset: { name: 'none', version: 1 }, graph: variants.fp32.sha256 },
    createdAt: new Date().toISOString(),
  }));
  await moveChannel(store, model, 'stable', number, new Date());
}
