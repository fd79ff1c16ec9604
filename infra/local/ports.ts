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

/** A port of 127.0.0.1 that was free a moment ago. Whoever binds it must still be ready to find it taken. */
export const freePort = (): Promise<number> => bind(0);

/** Whether nobody listens at that port of 127.0.0.1 now. */
export const isFree = (port: number): Promise<boolean> =>
  bind(port).then(
    () => true,
    () => false,
  );
