/** The router: the one public Worker. */
import { createRouter } from './app.ts';
import { DASHBOARD } from './dashboard-files.ts';
import { pooledHex } from './random-pool.ts';

/** Its state is this isolate's: see isolate.ts. */
const router = createRouter({
  dashboard: DASHBOARD,
  clock: () => performance.now(),
  wallClock: () => Date.now(),
  random: () => Math.random(),
  randomHex: pooledHex((bytes) => crypto.getRandomValues(bytes)),
  internet: { fetch: (url, init) => fetch(url, init) },
});

export { PointOfPresence } from './pop.ts';

export default router;
