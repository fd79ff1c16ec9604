/**
 * What an import of a large file takes: `npm run bench:import -- 300` makes files of 300 MB and imports each in a process
 * of its own, whose JavaScript heap is limited to 128 MB, into a bucket that forgets what it is given.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { count, table } from '../../infra/cli/output.ts';
import { type BigFormat, writeBigFile } from '../fixtures/big-file.ts';

const FORMATS: readonly (readonly [BigFormat, string])[] = [
  ['csv', 'csv'],
  ['jsonl', 'jsonl'],
  ['text', 'txt'],
  ['numpy', 'npy'],
];
const HEAP_MEGABYTES = 128;
const PROCESS = fileURLToPath(new URL('../fixtures/import-process.ts', import.meta.url));

const megabytes = Number(process.argv[2] ?? 100);
const folder = await mkdtemp(join(tmpdir(), 'causeway-bench-'));
try {
  const rows: (string | number)[][] = [];
  for (const [format, ending] of FORMATS) {
    const path = join(folder, `big.${ending}`);
    await writeBigFile(path, format, megabytes * 1e6);
    const { size } = await stat(path);
    const args = [`--max-old-space-size=${HEAP_MEGABYTES}`, PROCESS, format, path];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const result = JSON.parse(stdout) as { rows: number; bytes: number; seconds: number; megabytes: number };
    const speed = (size / 1e6 / result.seconds).toFixed(1);
    rows.push([format, count(result.rows), count(result.bytes / 1e6), speed, count(result.megabytes)]);
    await rm(path);
  }
  console.log(`files of ${megabytes} MB, read twice; JavaScript heap limited to ${HEAP_MEGABYTES} MB`);
  console.log(table(['FORMAT', 'ROWS', 'MB STORED', 'MB OF FILE A SECOND', 'PEAK MB OF THE PROCESS'], rows));
} finally {
  await rm(folder, { recursive: true, force: true });
}
