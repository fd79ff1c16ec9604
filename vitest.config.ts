import { defineConfig } from 'vitest/config';

/** They say how soon something happens, or how much memory it takes: nothing runs beside them. */
const MEASURING = [
  'test/e2e/{cascade,pop,quorum,router,routing-faults,targets}.test.ts',
  'test/contract/{import-memory,inference,lambda-*,s3-gateway-lifetime,sqs-*,task-queue-*}.test.ts',
];
const patience = { testTimeout: 120_000, hookTimeout: 120_000 };

/** `unit`: pure and quick, part of `npm run check`. The others: real workerd, SQS, S3 and ONNX Runtime. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 10_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/{contract,gradients,e2e,chaos}/**/*.test.ts'],
          exclude: MEASURING,
          ...patience,
          // Each stack under test starts workerd and worker threads of its own.
          maxWorkers: 2,
        },
      },
      { test: { name: 'measuring', include: MEASURING, ...patience, fileParallelism: false } },
    ],
  },
});
