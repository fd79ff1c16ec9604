/** The Workers in workerd before the cloud inference function that ships, which can be slow, failing or gone. */
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { uniformValues } from '../../core/onnx/distributions.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import { createRandom } from '../../core/random.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { type Trouble, troubled } from '../lambda-faults.ts';
import { createFunction } from '../../infra/local/lambda/function.ts';
import { type FunctionUrl, startFunctionUrl } from '../../infra/local/lambda/function-url.ts';
import { freePort } from '../../infra/local/ports.ts';
import { localCredentials } from '../../infra/local/workers/credentials.ts';
import { BUCKET, startEdge } from '../../infra/local/workers/edge.ts';
import { temporaryState } from './small-job.ts';

const SECRET = 'for this test only, and long enough';
const handlerFile = new URL('../../cloud/inference/handler.ts', import.meta.url);

export interface Serving {
  readonly url: string;
  readonly store: ObjectStore;
  /** Of the cloud function. */
  readonly trouble: Trouble;
  /** Its connections are cut and new ones refused, until `revive`. */
  kill(): Promise<void>;
  revive(): Promise<void>;
  stop(): Promise<void>;
}

/** @param vars of the router */
export async function startServing(vars: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const state = await temporaryState();
  const [s3Port, port, keys] = await Promise.all([freePort(), freePort(), localCredentials(state.path)]);
  const environment = {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${s3Port}`,
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    AWS_REGION: 'us-east-1',
    CAUSEWAY_S3_PATH_STYLE: '1',
    CAUSEWAY_BUCKET: BUCKET,
    CAUSEWAY_TOKEN_SECRET: SECRET,
  };
  const cloud = createFunction({
    name: 'inference',
    handlerFile,
    environment,
    timeoutMs: 30_000,
    maxConcurrency: 2,
    log: () => {},
  });
  const trouble: Trouble = { delayMs: 0, fails: false };
  const target = troubled(cloud, trouble);
  let url: FunctionUrl | undefined = await startFunctionUrl({ target, port });
  const edge = await startEdge({
    stateDir: state.path,
    s3Port,
    vars: {
      router: { CLOUD_URL: url.url, CLOUD_TOKEN_SECRET: SECRET, ALLOW_ANONYMOUS: '1', ...vars },
    },
  });
  const client = createS3Client(environment);
  const kill = async () => {
    const dying = url;
    url = undefined;
    await dying?.stop({ drainMs: 0 });
  };
  await cloud.warm(2);
  return {
    url: edge.routerUrl,
    store: s3Store({ client, bucket: BUCKET }),
    trouble,
    kill,
    async revive() {
      url ??= await startFunctionUrl({ target, port });
    },
    async stop() {
      client.destroy();
      await kill();
      await cloud.stop({ drainMs: 0 });
      await edge.stop();
      await state.remove();
    },
  };
}

const ROWS = 64;
const WIDTH = 256;

/**
 * Much work for one row of four numbers: `layers` products of 64 × 256 by 256 × 256, 8.4 million operations each. Its
 * batch is fixed, so that requests do not run together.
 */
export function buildHeavy(layers: number): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder(['x', 'y']);
  const x = graph.input({ name: 'x', dtype: 'F32', shape: [1, 4] });
  const weights = (name: string, shape: [number, number]) =>
    graph.initializer(name, {
      dtype: 'F32',
      shape,
      data: uniformValues(shape[0] * shape[1], Math.sqrt(6 / shape[0]), createRandom(1, shape[1])),
    });
  const shapeOf = (name: string, dims: bigint[]) =>
    graph.initializer(name, { dtype: 'I64', shape: [dims.length], data: new BigInt64Array(dims) });
  let value = graph.op('MatMul', [x, weights('spread', [4, ROWS * WIDTH])]);
  value = graph.op('Reshape', [value, shapeOf('wide', [BigInt(ROWS), BigInt(WIDTH)])]);
  const weight = weights('weight', [WIDTH, WIDTH]);
  for (let layer = 0; layer < layers; layer++)
    value = graph.op('Relu', [graph.op('MatMul', [value, weight])]);
  value = graph.op('Reshape', [value, shapeOf('flat', [1n, BigInt(ROWS * WIDTH)])]);
  value = graph.op('MatMul', [value, weights('gather', [ROWS * WIDTH, 2])]);
  graph.op('Softmax', [value], { axis: -1 }, 'y');
  graph.output({ name: 'y', dtype: 'F32', shape: [1, 2] });
  return encodeModel(graph.build('heavy'));
}
