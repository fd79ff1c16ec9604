/**
 * A dataset larger than memory: Node's heap is limited to less than the rows take, and the whole process to less than
 * the file. `npm run bench:import` does it with files of any size.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_SHARD_BYTES } from '../../core/datasets/import.ts';
import { type BigFormat, writeBigFile } from '../fixtures/big-file.ts';

const PROCESS = fileURLToPath(new URL('../fixtures/import-process.ts', import.meta.url));
/** An import holds up to 19 MB, the program itself 8 of them. */
const HEAP_MEGABYTES = 32;
/**
 * Node's young generation grows with the speed of allocation, and what is in it when it is full moves to the old one,
 * dead soon or not: kept small, so that the limit speaks of what is held and not of how quick the machine is.
 */
const YOUNG_MEGABYTES = 1;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-import-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Result {
  readonly rows: number;
  readonly shards: number;
  readonly largestShard: number;
  readonly bytes: number;
  readonly growthMegabytes: number;
}

async function imported(
  format: BigFormat,
  megabytes: number,
): Promise<Result & { readonly fileBytes: number }> {
  const path = join(folder, `${megabytes}.${format === 'numpy' ? 'npy' : format}`);
  await writeBigFile(path, format, megabytes << 20);
  const { size } = await stat(path);
  const limits = [`--max-old-space-size=${HEAP_MEGABYTES}`, `--max-semi-space-size=${YOUNG_MEGABYTES}`];
  const args = [...limits, PROCESS, format, path];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  await rm(path);
  return { ...(JSON.parse(stdout) as Result), fileBytes: size };
}

test('a CSV file of more rows than the heap could hold', { timeout: 120_000 }, async () => {
  const big = await imported('csv', 16);
  // Nine float32 or int32 of a row of some 20 characters.
  expect(big.bytes).toBeGreaterThan(1.6 * big.fileBytes);
  expect(big.bytes).toBeGreaterThan(0.8 * (HEAP_MEGABYTES << 20));
  expect(big.rows).toBeGreaterThan(800_000);
  expect(big.largestShard).toBeLessThanOrEqual(MAX_SHARD_BYTES + 4096);
});

test('arrays of more bytes than the process takes', { timeout: 120_000 }, async () => {
  const big = await imported('numpy', 500);
  expect(big.bytes).toBeGreaterThan(500 << 20);
  expect(big.shards).toBeGreaterThanOrEqual(500 / 32);
  // Shards of 32 MB that are being filled and stored, and what the collector has not come to.
  expect(big.growthMegabytes).toBeLessThan(250);
});
