/**
 * `npm run bench:edge`: warm inference through the router over loopback, batch 1, beside two Workers that only infer
 * and beside the bare `session.run` in the same workerd. The load generator is a separate program's library
 * (autocannon) and does the timing; it shares the processor with all of them.
 */
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { moveChannel } from '../../core/registry/channels.ts';
import { publishRelease } from '../../core/registry/releases.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import { count, table } from '../../infra/cli/output.ts';
import { startStack } from '../../infra/local/stack.ts';
import { startBareWorkers, timeRawSession } from './edge-floor.ts';
import { latencies } from './latencies.ts';

const SECONDS = 8;
const CONNECTIONS = 32;
const model = buildMlp({ inputs: 784, hidden: [128], classes: 10, inputName: 'image' });

const stateDir = join(tmpdir(), `causeway-bench-${process.pid}`);
const stack = await startStack({ stateDir, port: 0 });
try {
  const sha256 = await putBlob(stack.store, model);
  const { inputs, outputs } = signatureOf(decodeModel(model));
  const own = (tensors: typeof inputs) => tensors.map((tensor) => ({ ...tensor, shape: [...tensor.shape] }));
  const release = await publishRelease(stack.store, 'bench', 'job_benchmark', (n) => ({
    v: 1,
    model: 'bench',
    release: n,
    variants: { fp32: { sha256, bytes: model.length } },
    signature: { inputs: own(inputs), outputs: own(outputs) },
    metrics: {},
    lineage: { job: 'job_benchmark', dataset: { name: 'none', version: 1 }, graph: sha256 },
    createdAt: new Date().toISOString(),
  }));
  await moveChannel(stack.store, 'bench', 'stable', release, new Date());

  // A row as MNIST has them: four fifths zeros, the rest n/255.
  const data = Array.from({ length: 784 }, (_, i) => (i % 5 === 0 ? (i % 256) / 255 : 0));
  const body = JSON.stringify({ inputs: [{ name: 'image', shape: [1, 784], datatype: 'FP32', data }] });
  const run = (url: string, connections: number, seconds = SECONDS, target = 'edge') =>
    autocannon({
      url,
      connections,
      duration: seconds,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-causeway-target': target },
      body,
    });
  const cacheDir = join(stateDir, 'build');
  const bare = await startBareWorkers({ model, cacheDir });
  const contenders = [
    { name: 'through the router', url: `${stack.routerUrl}/v2/models/bench/infer` },
    { name: 'two bare Workers', url: bare.url },
  ];
  const measured = [];
  for (const { name, url } of contenders) {
    await run(url, 4, 2);
    const single = await latencies(url, body, 4_000);
    const loaded = await run(url, CONNECTIONS);
    if (loaded.non2xx > 0 || loaded.errors > 0)
      throw new Error(`${name}: ${loaded.non2xx} answers were not 2xx`);
    measured.push({ name, single, loaded });
  }
  await bare.stop();
  const rawMs = await timeRawSession({ model, input: 'image', shape: [1, 784], cacheDir });

  console.log(`edge inference, MNIST MLP, batch 1, ${body.length} bytes of JSON, warm`);
  console.log(
    table(
      ['', 'P50 MS', 'P99 MS', 'REQUESTS/S'],
      [
        ...measured.map(({ name, single }) => [
          `${name}, 1 connection`,
          single.p50.toFixed(3),
          single.p99.toFixed(3),
          count(single.rate),
        ]),
        ...measured.map(({ name, loaded }) => [
          `${name}, ${CONNECTIONS} connections`,
          loaded.latency.p50.toFixed(0),
          loaded.latency.p99.toFixed(0),
          count(loaded.requests.average),
        ]),
        ['session.run in the same workerd (mean)', rawMs.toFixed(4), '', count(1000 / rawMs)],
      ],
    ),
  );
  const [ours, floor] = measured;
  const ratio = ours!.single.p50 / floor!.single.p50;
  console.log(`the router's p50 is ${ratio.toFixed(2)} × the bare Workers'`);
  console.log(
    'bundles:',
    stack.bundles.map(({ worker, bytes }) => `${worker} ${count(bytes / 1024)} KiB`).join(', '),
  );
} finally {
  await stack.stop();
  await rm(stateDir, { recursive: true, force: true });
}
