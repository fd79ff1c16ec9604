/**
 * Bundles a Worker with wrangler, the very way it is deployed, and caches the result: `wrangler deploy --dry-run`
 * needs neither network nor login, and what it would upload is what workerd is given here.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from '../../../core/errors.ts';
import { digestSources, ROOT } from './sources.ts';
import { readUpload, type WorkerUpload } from './upload.ts';

/** A bundle depends on the sources, not on the state that it serves: it lies where tools keep what they can make again. */
const BUILD_DIR = join(ROOT, 'node_modules/.cache/causeway-build');

export interface BuildOptions {
  /** Bundles are kept here, the newest of each Worker; default: under node_modules. Safe to share. */
  readonly cacheDir?: string | undefined;
}

export interface BuiltWorker extends WorkerUpload {
  /** False where the cache had it. */
  readonly rebuilt: boolean;
  /** Of all modules, uncompressed: Cloudflare's limit is on this. */
  readonly bytes: number;
}

/** A bundle takes 1 to 3 s; a machine that does nothing else for two minutes has a real problem. */
const TIMEOUT_MS = 120_000;

/** No banner (which asks the registry for updates), no metrics, no logs outside the state directory. */
const QUIET = {
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_WRITE_LOGS: 'false',
  CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: 'false',
  NO_COLOR: '1',
};

const run = promisify(execFile);

async function bundle(configPath: string, folder: string, outfile: string): Promise<void> {
  const wrangler = join(
    dirname(createRequire(import.meta.url).resolve('wrangler/package.json')),
    'bin/wrangler.js',
  );
  const outputs = ['--outdir', join(folder, 'out'), '--outfile', outfile];
  try {
    await run(process.execPath, [wrangler, 'deploy', '--dry-run', ...outputs, '--config', configPath], {
      cwd: ROOT,
      env: { ...process.env, ...QUIET },
      timeout: TIMEOUT_MS,
      maxBuffer: 16 * 1024 * 1024,
    });
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    const said = `${stdout}\n${stderr}`.trim();
    throw new Fault('internal', `could not build the Worker ${relative(ROOT, configPath)}:\n${said}`, {
      cause,
    });
  }
}

/**
 * @param configPath absolute path of a wrangler configuration
 * @throws Fault `internal` with the bundler's own words where the Worker does not build
 */
export async function buildWorker(
  configPath: string,
  { cacheDir = BUILD_DIR }: BuildOptions = {},
): Promise<BuiltWorker> {
  const digest = await digestSources(configPath);
  const name = relative(ROOT, configPath).replace(/[^a-z0-9]+/gi, '-');
  const folder = join(cacheDir, name);
  const file = join(folder, `${digest.slice(0, 32)}.upload`);
  const cached = await readFile(file).catch(() => undefined);
  const upload = await readUpload(cached ?? (await rebuild(configPath, folder, file)));
  const bytes = upload.modules.reduce((sum, { contents }) => sum + contents.length, 0);
  return { ...upload, rebuilt: cached === undefined, bytes };
}

/** Builds beside and renames: a start that is killed half-way leaves no half bundle, and two at once do no harm. */
async function rebuild(configPath: string, folder: string, file: string) {
  await mkdir(folder, { recursive: true });
  const beside = await mkdtemp(join(folder, 'building-'));
  try {
    const built = join(beside, 'bundle.upload');
    await bundle(configPath, beside, built);
    const bytes = await readFile(built);
    const older = (await readdir(folder))
      .map((entry) => join(folder, entry))
      .filter((entry) => entry.endsWith('.upload') && entry !== file);
    await rename(built, file);
    await Promise.all(older.map((entry) => rm(entry, { force: true })));
    return bytes;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}
