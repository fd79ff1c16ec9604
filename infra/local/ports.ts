import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Binds a port of 127.0.0.1 and lets go of it. @param port 0: any @returns the port; rejects where it is taken */
function bind(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(bound));
    });
  });
}

/**
 * Where no system takes ports for outgoing connections or for whoever asks for any (Linux from 32768 on, others from
 * 49152): a port chosen here is bound later, and two that start at once would get neighbours there, or the same.
 */
const CHOSEN_FROM = { first: 20_000, last: 32_767 } as const;

/** A port of 127.0.0.1 that was free a moment ago. Whoever binds it must still be ready to find it taken. */
export async function freePort(): Promise<number> {
  const { first, last } = CHOSEN_FROM;
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(first, last + 1);
    if (await isFree(port)) return port;
  }
  return bind(0);
}

/** Whether nobody listens at that port of 127.0.0.1 now. */
export const isFree = (port: number): Promise<boolean> =>
  bind(port).then(
    () => true,
    () => false,
  );
