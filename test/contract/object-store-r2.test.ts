/** The Workers’ own adapter, inside workerd. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Log, LogLevel, Miniflare } from 'miniflare';
import { buildWorker } from '../../infra/local/workers/build.ts';
import { workerOptions } from '../../infra/local/workers/runtime.ts';
import { objectStoreContract } from './object-store.ts';
import { remoteStore } from './r2-store-worker/protocol.ts';

const CONFIG = fileURLToPath(new URL('r2-store-worker/wrangler.toml', import.meta.url));
const NAME = 'causeway-r2-store-test';

objectStoreContract('R2 binding in workerd', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'causeway-r2-'));
  const built = await buildWorker(CONFIG);
  const miniflare = new Miniflare({
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.NONE),
    r2Persist: join(stateDir, 'r2'),
    workers: workerOptions([{ name: NAME, built, vars: {}, port: 0 }]),
  });
  const url = await miniflare.unsafeGetDirectURL(NAME);
  return {
    store: remoteStore(url.href),
    async close() {
      await miniflare.dispose();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
});
