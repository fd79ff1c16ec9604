import { defineConfig } from 'vitest/config';

/** One test bundles the real functions: esbuild and a 25 MB copy each, on a machine that may be busy. */
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
});
