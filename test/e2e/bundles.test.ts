/** Both Workers deploy as they are: wrangler's dry run builds what it would upload, within Cloudflare's limits. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildWorker } from '../../infra/local/workers/build.ts';
import { ROOT } from '../../infra/local/workers/sources.ts';

/** Workers' paid plan: 64 MiB uncompressed, 10 MiB compressed. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_GZIP_BYTES = 10 * 1024 * 1024;
/** The router starts cold at a point of presence: it carries no runtime, and of schemas only what isolates tell each other. */
const ROUTER_BYTES = 400 * 1024;

let cacheDir: string;
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'causeway-bundles-'));
});
afterAll(() => rm(cacheDir, { recursive: true, force: true }));

test.each([
  ['router', 'wrangler.toml', ROUTER_BYTES],
  ['inference', 'functions/inference/wrangler.toml', MAX_BYTES],
])('the %s passes wrangler deploy --dry-run', async (name, config, limit) => {
  const { modules, bytes } = await buildWorker(join(ROOT, config), { cacheDir });
  const gzip = modules.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
  console.log(`${name}: ${Math.round(bytes / 1024)} KiB, gzip ${Math.round(gzip / 1024)} KiB`);
  expect(bytes).toBeLessThanOrEqual(limit);
  expect(gzip).toBeLessThanOrEqual(MAX_GZIP_BYTES);
});
