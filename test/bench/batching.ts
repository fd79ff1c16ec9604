/**
 * `npm run bench:batching`: two local edges in one run, which differ in whether requests are batched, by turns, so that
 * what else the machine does falls on both. Through the router, warm, one row a request, for a model too small to wait
 * for (MNIST MLP) and one whose weights take most of what an isolate has for models. The load generator shares the
 * processor. CPU is workerd's, both Workers together, where the system tells it (Linux).
 */
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { median } from '../../core/median.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { count, table } from '../../infra/cli/output.ts';
import { BUCKET, type Edge, startEdge } from '../../infra/local/workers/edge.ts';
import { releaseFile } from '../contract/inference-fixture.ts';
import { latencies } from './latencies.ts';

const CONNECTIONS = 32;
const ROUNDS = 4;
/** Of each round under load; the load generator counts by whole seconds. */
const SECONDS = 3;
const MODELS = [
  { name: 'mnist', title: 'MNIST MLP, 128 hidden', hidden: [128], single: 1_000 },
  { name: 'wide', title: 'MLP, 3072 and 1024 hidden', hidden: [3072, 1024], single: 300 },
] as const;
const SETTINGS = [
  { batching: 'on', vars: {} },
  { batching: 'off', vars: { CAUSEWAY_BATCH_ROWS: '1' } },
] as const;

const data = Array.from({ length: 784 }, (_, i) => (i % 5 === 0 ? (i % 256) / 255 : 0));
const body = JSON.stringify({ inputs: [{ name: 'image', shape: [1, 784], datatype: 'FP32', data }] });

interface Contender {
  readonly batching: string;
  readonly edge: Edge;
  readonly stateDir: string;
}

const load = (url: string) =>
  autocannon({
    url,
    duration: SECONDS,
    connections: CONNECTIONS,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-causeway-target': 'edge' },
    body,
  });

/** Milliseconds of processor time of an edge's workerd so far; NaN where the system does not tell. */
async function cpuMs({ stateDir }: Contender): Promise<number> {
  const [pid] = (await readFile(join(stateDir, 'workerd.pid'), 'utf8')).split(' ');
  const stat = await readFile(`/proc/${pid?.trim()}/stat`, 'utf8').catch(() => '');
  // proc(5): utime and stime, in hundredths of a second, count from behind the command's name.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

const root = join(tmpdir(), `causeway-batching-${process.pid}`);
const contenders: Contender[] = [];
try {
  for (const { batching, vars } of SETTINGS) {
    const stateDir = join(root, batching);
    const edge = await startEdge({
      stateDir,
      buildDir: join(root, 'build'),
      vars: { router: { ALLOW_ANONYMOUS: '1' }, inference: vars },
    });
    contenders.push({ batching, edge, stateDir });
    const store = s3Store({ client: createS3Client(edge.environment), bucket: BUCKET });
    for (const { name, hidden } of MODELS) {
      const file = buildMlp({ inputs: 784, hidden: [...hidden], classes: 10, inputName: 'image' });
      await releaseFile(store, name, file, signatureOf(decodeModel(file)));
    }
  }

  const lines: string[][] = [];
  for (const { name, title, single } of MODELS) {
    const urlOf = ({ edge }: Contender) => `${edge.routerUrl}/v2/models/${name}/infer`;
    for (const contender of contenders) await load(urlOf(contender));
    const rows = contenders.map((contender) => ({
      contender,
      alone: [] as Awaited<ReturnType<typeof latencies>>[],
      together: [] as { readonly p50: number; readonly p99: number; readonly rate: number }[],
      cpu: [] as number[],
    }));
    for (let round = 0; round < ROUNDS; round++)
      for (const { contender, alone, together, cpu } of rows) {
        alone.push(await latencies(urlOf(contender), body, single));
        const before = await cpuMs(contender);
        const result = await load(urlOf(contender));
        cpu.push(((await cpuMs(contender)) - before) / result['2xx']);
        if (result.non2xx > 0 || result.errors > 0)
          throw new Error(`${title}: ${result.non2xx} answers were not 2xx`);
        const { p50, p99 } = result.latency;
        together.push({ p50, p99, rate: result['2xx'] / result.duration });
      }
    for (const { contender, alone, together, cpu } of rows) {
      const of = (from: typeof together, key: 'p50' | 'p99' | 'rate') =>
        median(from.map((each) => each[key]))!;
      lines.push([
        title,
        contender.batching,
        of(alone, 'p50').toFixed(2),
        of(alone, 'p99').toFixed(2),
        count(of(together, 'rate')),
        of(together, 'p50').toFixed(0),
        of(together, 'p99').toFixed(0),
        median(cpu)!.toFixed(2),
      ]);
    }
  }
  console.log(`medians of ${ROUNDS} rounds; 1 connection, then ${CONNECTIONS}`);
  console.log(
    table(
      ['MODEL', 'BATCHING', 'P50 MS', 'P99 MS', 'REQUESTS/S', 'P50 MS', 'P99 MS', 'CPU MS/REQUEST'],
      lines,
    ),
  );
} finally {
  for (const { edge } of contenders) await edge.stop();
  await rm(root, { recursive: true, force: true });
}
