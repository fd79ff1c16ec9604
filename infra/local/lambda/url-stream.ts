/** A streaming handler's bytes as an HTTP answer in pieces. */
import type { ServerResponse } from 'node:http';
import type { StreamSink } from './invocation.ts';
import { preludeReader } from './prelude.ts';
import { HTTP_INTEGRATION_RESPONSE } from './runtime/response-stream.ts';
import { headOf, MALFORMED } from './url-response.ts';

/**
 * A client that has gone does not stop the function: as on AWS it runs to its end, its bytes are dropped.
 * @param extra headers to add to the answer
 * @param refuse answers 502, where the metadata is malformed
 */
export function responseSink(
  response: ServerResponse,
  extra: Readonly<Record<string, string>>,
  refuse: () => void,
): StreamSink {
  let readPrelude: ReturnType<typeof preludeReader> | undefined;

  function begin(metadata: unknown, defaultType: string): void {
    const head = headOf(metadata, defaultType);
    if (head === MALFORMED) return refuse();
    response.writeHead(head.statusCode, { ...head.headers, ...extra });
    response.flushHeaders();
  }

  function forward(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || response.destroyed || response.writableEnded || response.write(bytes)) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = () => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.on('drain', done);
      response.on('close', done);
    });
  }

  return {
    head(contentType) {
      if (contentType === HTTP_INTEGRATION_RESPONSE) readPrelude = preludeReader();
      else begin({}, contentType ?? 'application/octet-stream');
    },
    write(bytes) {
      if (readPrelude === undefined) return forward(bytes);
      const prelude = readPrelude(bytes);
      if (prelude.kind === 'incomplete') return Promise.resolve();
      readPrelude = undefined;
      begin(prelude.metadata, 'application/octet-stream');
      return forward(prelude.rest);
    },
  };
}
