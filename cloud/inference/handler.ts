/**
 * Lambda handler of cloud inference: a Function URL, buffered, the same app as the edge's on the native runtime.
 * It is public, so every request must carry the edge's token.
 */
import { handle } from 'hono/aws-lambda';
import { createInferenceApp } from '../../core/inference/app.ts';
import { CLOUD_CONFIG } from '../../core/inference/config.ts';
import { configured } from '../../core/inference/overrides.ts';
import { required } from '../adapters/environment.ts';
import { nativeRuntime } from '../adapters/onnxruntime.ts';
import { createS3Client, s3Store } from '../adapters/s3-store.ts';
import { tokenSecret } from '../adapters/token-secret.ts';
import { tokenAuthorizer } from './authorize.ts';

const environment = process.env;

/** What a warm function keeps: the loaded sessions and what it knows of the releases. */
const { app } = createInferenceApp({
  runtime: nativeRuntime(),
  store: s3Store({ client: createS3Client(environment), bucket: required(environment, 'CAUSEWAY_BUCKET') }),
  config: configured(CLOUD_CONFIG, environment),
  clock: () => performance.now(),
  after(ms, wake) {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
  authorize: tokenAuthorizer(tokenSecret(environment), Date.now),
  report: (thrown) => console.error(thrown),
});

export const handler = handle(app);
