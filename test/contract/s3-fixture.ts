/** A real S3 gateway on real workerd, in a directory of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { createS3Client } from '../../cloud/adapters/s3-client.ts';
import { type Edge, startEdge } from '../../infra/local/workers/edge.ts';

export interface S3Fixture {
  readonly edge: Edge;
  readonly client: S3Client;
  readonly stateDir: string;
  readonly close: () => Promise<void>;
}

export async function openS3(): Promise<S3Fixture> {
  const stateDir = await mkdtemp(join(tmpdir(), 'causeway-s3-'));
  const edge = await startEdge({ stateDir, workers: ['gateway'] });
  const client = createS3Client(edge.environment);
  return {
    edge,
    client,
    stateDir,
    async close() {
      client.destroy();
      await edge.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
