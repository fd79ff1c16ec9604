/** Starting, stopping and killing the local edge: ports, caches, orphans, and what is on disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import { buildWorker } from '../../infra/local/workers/build.ts';
import { type Edge, type EdgeOptions, startEdge } from '../../infra/local/workers/edge.ts';

const PROCESS = fileURLToPath(new URL('../fixtures/edge-process.ts', import.meta.url));
const CONFIG = fileURLToPath(new URL('r2-store-worker/wrangler.toml', import.meta.url));

describe('the local edge', () => {
  let stateDir: string;
  const undo: (() => unknown)[] = [];
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'causeway-edge-'));
  });
  afterEach(async () => {
    for (const step of undo.splice(0).toReversed()) await step();
    await rm(stateDir, { recursive: true, force: true });
  });

  async function start(options: Partial<EdgeOptions> = {}): Promise<Edge> {
    const edge = await startEdge({ stateDir, workers: ['gateway'], ...options });
    undo.push(() => edge.stop());
    return edge;
  }

  function storeOf(environment: Readonly<Record<string, string>>) {
    const client = createS3Client(environment);
    undo.push(() => client.destroy());
    return s3Store({ client, bucket: environment['CAUSEWAY_BUCKET'] ?? '' });
  }

  /** A process with an edge of its own. */
  async function spawnEdge(): Promise<{ child: ChildProcess; environment: Record<string, string> }> {
    const child = spawn(process.execPath, [PROCESS, stateDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    undo.push(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout });
    const [line] = (await once(lines, 'line')) as [string];
    return { child, environment: JSON.parse(line) as Record<string, string> };
  }

  async function until(check: () => Promise<boolean>): Promise<boolean> {
    const deadline = performance.now() + 10_000;
    while (performance.now() < deadline) {
      if (await check()) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  }

  const answers = (url: string) =>
    fetch(url).then(
      () => true,
      () => false,
    );

  it('keeps objects and keys over a restart, and builds once', async () => {
    const buildDir = join(stateDir, 'build');
    const first = await start({ buildDir });
    await storeOf(first.environment).put('kept', new Uint8Array([1, 2, 3]));
    expect(first.bundles).toMatchObject([{ worker: 'gateway', rebuilt: true }]);
    await first.stop();
    await first.stop();
    expect(await answers(first.s3Url)).toBe(false);
    const second = await start({ buildDir });
    expect(second.bundles).toMatchObject([{ worker: 'gateway', rebuilt: false }]);
    expect(second.credentials).toEqual(first.credentials);
    expect((await storeOf(second.environment).get('kept'))?.body).toEqual(new Uint8Array([1, 2, 3]));
  });

  it('keeps its keys to its owner', async () => {
    await start();
    const { mode } = await stat(join(stateDir, 's3-credentials.json'));
    expect(mode & 0o077).toBe(0);
  });

  it.each(['s3Port', 'routerPort'] as const)('names %s where the port is taken', async (field) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    undo.push(() => server.close());
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const workers = field === 's3Port' ? (['gateway'] as const) : (['router', 'inference'] as const);
    await expect(start({ [field]: port, workers })).rejects.toMatchObject({
      code: 'conflict',
      field,
      message: expect.stringContaining(String(port)) as string,
    });
  });

  it.each([-1, 65_536, 1.5, Number.NaN])('refuses the port %d', async (s3Port) => {
    await expect(start({ s3Port })).rejects.toMatchObject({ code: 'invalid', field: 's3Port' });
  });

  it('names a Worker that is bound to one that is not started', async () => {
    const refused = expect(start({ workers: ['router'] })).rejects;
    await refused.toMatchObject({ code: 'invalid', field: 'workers' });
  });

  it('is one per state directory', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({ code: 'conflict', field: 'stateDir' });
    await expect(spawnEdgeExit()).resolves.not.toBe(0);
  });

  /** Exit code of a process that tries to start on the same directory. */
  async function spawnEdgeExit(): Promise<number> {
    const child = spawn(process.execPath, [PROCESS, stateDir], { stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number];
    return code;
  }

  it('starts again at once after it was killed, with what was stored', async () => {
    const { child, environment } = await spawnEdge();
    await storeOf(environment).put('before', new Uint8Array([7]));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const port = Number(new URL(environment['AWS_ENDPOINT_URL_S3'] ?? '').port);
    const edge = await start({ s3Port: port });
    expect((await storeOf(edge.environment).get('before'))?.body).toEqual(new Uint8Array([7]));
  });

  it('leaves no workerd behind when it is killed', async () => {
    const { child, environment } = await spawnEdge();
    const url = environment['AWS_ENDPOINT_URL_S3'] ?? '';
    expect(await answers(url)).toBe(true);
    child.kill('SIGKILL');
    expect(await until(async () => !(await answers(url)))).toBe(true);
  });

  it('gives each Worker its variables, over those of its configuration', async () => {
    const edge = await start({ vars: { gateway: { MAIN_BUCKET: 'renamed' } } });
    const store = storeOf({ ...edge.environment, CAUSEWAY_BUCKET: 'renamed' });
    await store.put('a', new Uint8Array(1));
    expect(await store.head('a')).toBeDefined();
  });
});

describe('building a Worker', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-build-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function copyOf(source: string): Promise<string> {
    await mkdir(join(folder, 'worker'), { recursive: true });
    await cp(CONFIG, join(folder, 'worker/wrangler.toml'));
    await writeFile(join(folder, 'worker/index.ts'), source);
    return join(folder, 'worker/wrangler.toml');
  }
  const answering = (text: string) => `export default { fetch: () => new Response('${text}') };`;

  it('happens when its sources change, and only then', async () => {
    const build = (config: string) => buildWorker(config, { cacheDir: join(folder, 'cache') });
    const config = await copyOf(answering('one'));
    expect((await build(config)).rebuilt).toBe(true);
    expect((await build(config)).rebuilt).toBe(false);
    await copyOf(answering('two'));
    const changed = await build(config);
    expect(changed.rebuilt).toBe(true);
    expect(new TextDecoder().decode(changed.modules[0]?.contents)).toContain('two');
    expect(changed.bindings).toEqual([{ type: 'r2_bucket', name: 'BUCKET', bucket_name: 'causeway' }]);
  });

  it('that fails tells the bundler’s own words', async () => {
    const config = await copyOf("import { missing } from './missing.ts'; export default missing;");
    const failed = buildWorker(config, { cacheDir: join(folder, 'cache') });
    await expect(failed).rejects.toMatchObject({ code: 'internal' });
    await expect(failed).rejects.toThrow(/Could not resolve "\.\/missing\.ts"/);
  });

  it('can happen twice at once', async () => {
    const config = await copyOf(answering('both'));
    const both = await Promise.all(
      [1, 2].map(() => buildWorker(config, { cacheDir: join(folder, 'cache') })),
    );
    expect(both.map(({ modules }) => modules.length)).toEqual([1, 1]);
    expect((await buildWorker(config, { cacheDir: join(folder, 'cache') })).rebuilt).toBe(false);
  });
});
