/** The router: the one public Worker. */
import { createRouter } from './app.ts';
import dashboard from './dashboard/index.html';

/** Its state is this isolate's: see isolate.ts. */
const router = createRouter({
  dashboard,
  clock: () => performance.now(),
  wallClock: () => Date.now(),
  random: () => Math.random(),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  internet: { fetch: (url, init) => fetch(url, init) },
  defer: (c, work) => c.executionCtx.waitUntil(work.catch(() => undefined)),
});

export default { fetch: router.fetch };
