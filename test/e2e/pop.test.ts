/** Two isolates of the router in workerd, and the Durable Object of their point of presence between them. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import { RoutingView } from '../../core/contracts/routing.ts';
import { CONSECUTIVE_FAILURES } from '../../core/routing/ejection.ts';
import { buildWorker } from '../../infra/local/workers/build.ts';
import { localCredentials } from '../../infra/local/workers/credentials.ts';
import { launch, type LaunchedWorkers } from '../../infra/local/workers/launch.ts';
import { ROOT } from '../../infra/local/workers/sources.ts';
import { type CloudStandIn, release, ROW, SECRET, startCloud } from './router-fixture.ts';
import { temporaryState } from './small-job.ts';

const SOON = { timeout: 10_000, interval: 100 };
const CLOUD_MS = 120;
const pin = (target: 'edge' | 'cloud') => ({ 'x-causeway-target': target });

let state: Awaited<ReturnType<typeof temporaryState>>;
let cloud: CloudStandIn;
let workers: LaunchedWorkers;

beforeAll(async () => {
  state = await temporaryState();
  cloud = await startCloud();
  cloud.answer = (_request, response) => {
    setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'), CLOUD_MS);
  };
  const build = (config: string) => buildWorker(join(ROOT, config));
  const router = await build('wrangler.toml');
  const inference = await build('functions/inference/wrangler.toml');
  const gateway = await build('infra/local/s3-gateway/wrangler.toml');
  const { accessKeyId, secretAccessKey } = await localCredentials(state.path);
  const vars = { CLOUD_URL: cloud.url, CLOUD_TOKEN_SECRET: SECRET };
  // Another Worker is another isolate; the object is the first one's.
  const bindings = router.bindings.map((binding) =>
    binding.type === 'durable_object_namespace' ? { ...binding, script_name: 'first' } : binding,
  );
  workers = await launch(state.path, [
    { name: 'first', built: router, vars, port: 0 },
    { name: 'second', built: { ...router, bindings }, vars, port: 0 },
    { name: 'causeway-inference', built: inference, vars: {}, port: undefined },
    {
      name: 'gateway',
      built: gateway,
      vars: { ACCESS_KEY_ID: accessKeyId, SECRET_ACCESS_KEY: secretAccessKey },
      port: 0,
    },
  ]);
  const client = createS3Client({
    AWS_ENDPOINT_URL_S3: workers.urls.get('gateway')!,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: 'us-east-1',
    CAUSEWAY_S3_PATH_STYLE: '1',
  });
  await release(s3Store({ client, bucket: 'causeway' }), 'good', 'job_good0000');
  client.destroy();
});
afterAll(async () => {
  await workers?.stop();
  await cloud?.die();
  await state?.remove();
});

const infer = (router: 'first' | 'second', headers: Record<string, string> = {}) =>
  fetch(`${workers.urls.get(router)!}/v2/models/good/infer`, {
    method: 'POST',
    body: ROW,
    headers: { 'content-type': 'application/json', ...headers },
  });
const said = ({ status, headers }: Response) =>
  `${status} ${headers.get('x-causeway-target')} ${headers.get('x-causeway-reason')}`;

const get = async (router: 'first' | 'second', path: string) => fetch(workers.urls.get(router)! + path);
async function exchanges(router: 'first' | 'second', result: 'done' | 'failed'): Promise<number> {
  const text = await (await get(router, '/metrics')).text();
  return Number(
    new RegExp(`^causeway_exchanges_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
  );
}
const cloudAt = async (router: 'first' | 'second') =>
  RoutingView.parse(await (await get(router, '/v1/routing')).json()).targets.cloud;

test('what one isolate learned is known to the other before it asks', async () => {
  for (let i = 0; i < 4; i++) expect(said(await infer('first', pin('cloud')))).toBe('200 cloud pinned');
  // Its first exchange was before it knew anything.
  await vi.waitFor(async () => {
    await infer('first', pin('edge'));
    expect(await exchanges('first', 'done')).toBeGreaterThanOrEqual(2);
  }, SOON);
  await infer('second', pin('edge'));
  await vi.waitFor(async () => expect(await exchanges('second', 'done')).toBeGreaterThanOrEqual(1), SOON);
  expect(await cloudAt('second')).toMatchObject({ requests: 0 });
  const timing = (await infer('second', pin('cloud'))).headers.get('server-timing')!;
  const predicted = Number(/cloud;dur=\d+;desc="predicted ([\d.]+) ms"/.exec(timing)?.[1]);
  expect(predicted, timing).toBeGreaterThanOrEqual(CLOUD_MS - 10);
  expect(predicted, timing).toBeLessThan(10 * CLOUD_MS);
});

test('a target that one sees fail is left out by both, and tried by both when one sees it return', async () => {
  await cloud.die();
  for (let i = 0; i < CONSECUTIVE_FAILURES; i++)
    expect(said(await infer('first', pin('cloud')))).toBe('502 cloud pinned');
  await vi.waitFor(async () => {
    await infer('first', pin('edge'));
    expect(said(await infer('second'))).toBe('200 edge cloud-ejected');
  }, SOON);
  await cloud.revive();
  // Well before the half minute of an ejection is over.
  await vi.waitFor(async () => {
    expect(said(await infer('first', pin('cloud')))).toBe('200 cloud pinned');
    expect(said(await infer('second'))).not.toMatch('ejected');
  }, SOON);
});

test('every exchange is done', async () => {
  for (const router of ['first', 'second'] as const) expect(await exchanges(router, 'failed')).toBe(0);
});
