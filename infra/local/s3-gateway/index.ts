/** The local S3 gateway: take the request apart, verify its signature, run the operation, answer as S3 does. */
import { drain } from '../../../core/bounded-stream.ts';
import { MAX_BODY_BYTES } from './body.ts';
import type { GatewayEnvironment } from './environment.ts';
import { errorResponse } from './errors.ts';
import { runOperation } from './operations.ts';
import { asS3Error } from './r2-errors.ts';
import { parseRequest } from './request.ts';
import { verifySignature } from './sigv4.ts';

async function answer(raw: Request, environment: GatewayEnvironment): Promise<Response> {
  const request = parseRequest(raw);
  const credentials = {
    accessKeyId: environment.ACCESS_KEY_ID,
    secretAccessKey: environment.SECRET_ACCESS_KEY,
  };
  const payloadHash = await verifySignature(request, credentials, Date.now());
  return runOperation({ request, raw, payloadHash, environment });
}

export default {
  async fetch(raw, environment) {
    const id = crypto.randomUUID();
    try {
      const response = await answer(raw, environment);
      response.headers.set('x-amz-request-id', id);
      return response;
    } catch (thrown) {
      const error = asS3Error(thrown);
      if (error.code === 'InternalError') console.error(`${id} ${raw.method} ${raw.url}`, thrown);
      // A client that is still sending does not read the answer: take the rest first, as far as a body may go.
      if (!raw.bodyUsed) await drain(raw.body, MAX_BODY_BYTES).catch(() => {});
      return errorResponse(error, raw, new URL(raw.url).pathname, id);
    }
  },
} satisfies ExportedHandler<GatewayEnvironment>;
