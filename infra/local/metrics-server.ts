/** The local fleet's task metrics over HTTP, for the jobs API, which adds them to its own. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CONTENT_TYPE } from '../../core/telemetry/metrics.ts';

export interface MetricsServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** @param text of one scrape */
export async function startMetricsServer(text: () => string): Promise<MetricsServer> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': CONTENT_TYPE }).end(text());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
