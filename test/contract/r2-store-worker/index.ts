import type { R2Bucket } from '@cloudflare/workers-types';
import { r2Store } from '../../../functions/inference/r2-store.ts';
import { serveStore } from './protocol.ts';

export default {
  fetch: (request: Request, environment: { readonly BUCKET: R2Bucket }) =>
    serveStore(r2Store(environment.BUCKET), request),
};
