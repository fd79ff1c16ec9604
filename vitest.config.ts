import { defineConfig } from 'vitest/config';

/** `unit`: pure and quick, part of `npm run check`. `integration`: real workerd, SQS, S3 and ONNX Runtime. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 10_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/{contract,gradients,e2e,chaos}/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // The stack under test starts workerd and worker threads of its own: two cores, one file at a time.
          fileParallelism: false,
        },
      },
    ],
  },
});
